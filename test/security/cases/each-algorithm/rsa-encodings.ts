import { createHash } from 'node:crypto';
import { type AlgorithmCase, changedSignature } from '../../algorithm-keys.js';
import { hashOf, isPss, rawSignature, type RsaName } from './rsa.js';

const PKCS1 = 'RFC 8017, section 9.2 (the encoding is compared, not parsed); CVE-2006-4339';
const PSS = 'RFC 8017, section 9.1.2';

/** The length of an RSA-2048 signature, in bytes. */
const LENGTH = 256;
/** The last arcs of 2.16.840.1.101.3.4.2 (RFC 8017, appendix B.1). */
const OID_ARCS: Record<string, number> = { sha256: 1, sha384: 2, sha512: 3 };

const repeated = (byte: number, length: number) => Buffer.alloc(length, byte);
const tlv = (tag: number, ...contents: Buffer[]) => {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, body.length]), body]);
};
const oid = (hash: string) => Buffer.from([6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, OID_ARCS[hash] ?? 0]);
const NULL = Buffer.from([5, 0]);
const SHA1_OID = Buffer.from([6, 5, 0x2b, 14, 3, 2, 26]);

const digestInfo = (hash: string, digest: Buffer) => tlv(0x30, tlv(0x30, oid(hash), NULL), tlv(0x04, digest));

/** EMSA-PKCS1-v1_5 around wrong content. */
function block(info: Buffer, { type = 1, filler = 0xff, first = 0 } = {}): Buffer {
  const padding = repeated(filler, LENGTH - 3 - info.length);
  return Buffer.concat([Buffer.from([first, type]), padding, Buffer.from([0]), info]);
}

/** Encodings that parsers have mistaken for the right one. */
const BLOCKS: Record<string, (hash: string, digest: Buffer) => Buffer> = {
  'without the NULL of the hash': (hash, digest) => block(tlv(0x30, tlv(0x30, oid(hash)), tlv(0x04, digest))),
  'with only the digest': (_, digest) => block(digest),
  'with only the digest in an OCTET STRING': (_, digest) => block(tlv(0x04, digest)),
  'with garbage after the digest, and short padding': (hash, digest) => {
    const start = Buffer.concat([Buffer.from([0, 1]), repeated(0xff, 8), Buffer.from([0])]);
    const info = digestInfo(hash, digest);
    return Buffer.concat([start, info, repeated(0xab, LENGTH - start.length - info.length)]);
  },
  'with one byte after the DigestInfo': (hash, digest) =>
    block(Buffer.concat([digestInfo(hash, digest), repeated(0, 1)])),
  'with garbage in the parameters of the hash': (hash, digest) =>
    block(tlv(0x30, tlv(0x30, oid(hash), tlv(0x05, repeated(0xab, 40))), tlv(0x04, digest))),
  'with further parameters of the hash': (hash, digest) =>
    block(tlv(0x30, tlv(0x30, oid(hash), NULL, NULL), tlv(0x04, digest))),
  'with a third member of the DigestInfo': (hash, digest) =>
    block(tlv(0x30, tlv(0x30, oid(hash), NULL), tlv(0x04, digest), NULL)),
  'with a length in long form': (hash, digest) => {
    const info = digestInfo(hash, digest);
    return block(Buffer.concat([Buffer.from([0x30, 0x81]), info.subarray(1)]));
  },
  'with an indefinite length': (hash, digest) => {
    const info = digestInfo(hash, digest);
    return block(Buffer.concat([Buffer.from([0x30, 0x80]), info.subarray(2), repeated(0, 2)]));
  },
  'with the name of SHA-1': (_, digest) => block(tlv(0x30, tlv(0x30, SHA1_OID, NULL), tlv(0x04, digest))),
  'with an unknown hash': (_, digest) => block(tlv(0x30, tlv(0x30, oid('other'), NULL), tlv(0x04, digest))),
  'with a truncated digest': (hash, digest) => block(digestInfo(hash, digest.subarray(0, -1))),
  'with an empty digest': (hash) => block(digestInfo(hash, Buffer.alloc(0))),
  'of block type 0': (hash, digest) => block(digestInfo(hash, digest), { type: 0, filler: 0 }),
  'of block type 2': (hash, digest) => block(digestInfo(hash, digest), { type: 2, filler: 0xab }),
  'with padding other than ones': (hash, digest) => block(digestInfo(hash, digest), { filler: 0xfe }),
  'with a first byte that is not zero': (hash, digest) => block(digestInfo(hash, digest), { first: 1 }),
  'with one different padding byte': (hash, digest) => {
    const changed = block(digestInfo(hash, digest));
    changed[100] = 0;
    return changed;
  },
};

/** MGF1 (RFC 8017, appendix B.2.1). */
function mask(seed: Buffer, length: number, hash: string): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 0; blocks.length * 20 < length; counter += 1) {
    blocks.push(
      createHash(hash)
        .update(seed)
        .update(Buffer.from([0, 0, 0, counter]))
        .digest(),
    );
  }
  return Buffer.concat(blocks).subarray(0, length);
}

interface PssOptions {
  readonly maskHash?: string;
  readonly trailer?: number;
  readonly filler?: number;
  readonly separator?: number;
  readonly prefixLength?: number;
}

/** EMSA-PSS with one deviation. */
function pssBlock(hash: string, digest: Buffer, options: PssOptions): Buffer {
  const { maskHash = hash, trailer = 0xbc, filler = 0, separator = 1, prefixLength = 8 } = options;
  const salt = repeated(0x5a, digest.length);
  const inner = createHash(hash).update(Buffer.alloc(prefixLength)).update(digest).update(salt).digest();
  const padding = repeated(filler, LENGTH - digest.length - salt.length - 2);
  const db = Buffer.concat([padding, Buffer.from([separator]), salt]);
  const dbMask = mask(inner, db.length, maskHash);
  const masked = Buffer.from(db.map((byte, index) => byte ^ (dbMask[index] ?? 0)));
  masked[0] = (masked[0] ?? 0) & 0x7f;
  return Buffer.concat([masked, inner, Buffer.from([trailer])]);
}

const PSS_BLOCKS: Record<string, PssOptions> = {
  'with a SHA-1 mask': { maskHash: 'sha1' },
  'with a mask of another hash': { maskHash: 'sha512-256' },
  'with the trailer of X9.31': { trailer: 0xcc },
  'with a zero trailer': { trailer: 0 },
  'with non-zero padding': { filler: 0xff },
  'with 2 between padding and salt': { separator: 2 },
  'with 0 between padding and salt': { separator: 0 },
  'with a prefix of 7 zeros': { prefixLength: 7 },
  'without a prefix': { prefixLength: 0 },
};

/** The right encoding, from which each of the others deviates once. */
export function rightBlock(alg: RsaName, input: Buffer): Buffer {
  const hash = hashOf(alg);
  const digest = createHash(hash).update(input).digest();
  return isPss(alg) ? pssBlock(hash, digest, {}) : block(digestInfo(hash, digest));
}

/** Signatures of the right key over wrong encodings. */
export function rsaEncodings(alg: RsaName): readonly AlgorithmCase[] {
  const hash = hashOf(alg);
  const digestOf = (input: Buffer) => createHash(hash).update(input).digest();
  if (isPss(alg)) {
    return Object.entries(PSS_BLOCKS).map(([name, options]) =>
      changedSignature(name, PSS, (_, input, keys) =>
        rawSignature(pssBlock(hash, digestOf(input), options), keys),
      ),
    );
  }
  return Object.entries(BLOCKS).map(([name, encode]) =>
    changedSignature(name, PKCS1, (_, input, keys) => rawSignature(encode(hash, digestOf(input)), keys)),
  );
}
