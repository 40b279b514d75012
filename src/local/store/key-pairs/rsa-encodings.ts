import { createHash, randomBytes } from 'node:crypto';
import { der, NULL, objectIdentifier, OCTET_STRING, SEQUENCE } from './der.js';
import type { HashName } from './key-pair.js';

/** Each hash in DER (RFC 8017, appendix B.1), and the length of its output. */
const HASHES: Readonly<Record<HashName, { readonly oid: Uint8Array; readonly length: number }>> = {
  sha256: { oid: objectIdentifier('2.16.840.1.101.3.4.2.1'), length: 32 },
  sha384: { oid: objectIdentifier('2.16.840.1.101.3.4.2.2'), length: 48 },
  sha512: { oid: objectIdentifier('2.16.840.1.101.3.4.2.3'), length: 64 },
};

/** DigestInfo: what PKCS #1 v1.5 signs (RFC 8017, section 9.2, step 2). */
export function digestInfo(hash: HashName, digest: Uint8Array): Buffer {
  return der(SEQUENCE, der(SEQUENCE, HASHES[hash].oid, der(NULL)), der(OCTET_STRING, digest));
}

/** A new salt as long as the hash. */
export function randomSalt(hash: HashName): Buffer {
  return randomBytes(HASHES[hash].length);
}

/**
 * EMSA-PSS-ENCODE (RFC 8017, section 9.1.1), with MGF1 and the same hash.
 *
 * @param length that of the modulus in bytes. The modulus has a whole number of them, so the encoding has the same
 * length and its first bit is 0
 */
export function pssEncoding(hash: HashName, digest: Uint8Array, salt: Uint8Array, length: number): Buffer {
  const seed = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
  const padding = Buffer.alloc(length - seed.length - salt.length - 2);
  const block = Buffer.concat([padding, Buffer.of(0x01), salt]);
  return Buffer.concat([masked(block, seed, hash), seed, Buffer.of(0xbc)]);
}

/** The salt that an encoding has if it is valid: then the same digest and this salt give the same encoding. */
export function saltIn(encoding: Buffer, hash: HashName): Buffer {
  const { length } = HASHES[hash];
  const end = encoding.length - length - 1;
  return masked(encoding.subarray(0, end), encoding.subarray(end, -1), hash).subarray(-length);
}

/** Masks a block, or unmasks it; its first bit becomes 0. */
function masked(block: Uint8Array, seed: Uint8Array, hash: HashName): Buffer {
  const mask = mgf1(seed, block.length, hash);
  const result = Buffer.from(block.map((byte, index) => byte ^ (mask[index] ?? 0)));
  result.writeUInt8(result.readUInt8(0) & 0x7f, 0);
  return result;
}

/** The mask generation function MGF1 (RFC 8017, appendix B.2.1). */
function mgf1(seed: Uint8Array, length: number, hash: HashName): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / HASHES[hash].length) }, (_, index) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(index);
    return createHash(hash).update(seed).update(counter).digest();
  });
  return Buffer.concat(blocks).subarray(0, length);
}
