import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS, algorithmNamed, ES256, type PublicKey } from '../../src/jwt/algorithms.js';
import { newVerificationKey, publicKeyFromSpki } from '../../src/jwt/jwk.js';
import {
  externalMu,
  loadMlDsa,
  mlDsaEncodingOf,
  mlDsaKeyFrom,
  mlDsaKeyFromSpki,
} from '../../src/jwt/ml-dsa.js';
import { verifySignature } from '../../src/jwt/signature.js';

/** The last arc of 2.16.840.1.101.3.4.3, and the length of a key (RFC 9881, section 2; FIPS 204, table 2). */
const SETS = [
  ['ML-DSA-44', ml_dsa44, 17, 1312],
  ['ML-DSA-65', ml_dsa65, 18, 1952],
  ['ML-DSA-87', ml_dsa87, 19, 2592],
] as const;

const INPUT = Buffer.from('header.payload');

/** SubjectPublicKeyInfo, with every length computed. */
function spkiOf(arc: number, key: Uint8Array): Buffer {
  const oid = tlv(0x06, Buffer.from([0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, arc]));
  return tlv(0x30, Buffer.concat([tlv(0x30, oid), tlv(0x03, Buffer.concat([Buffer.alloc(1), key]))]));
}

function tlv(tag: number, body: Buffer): Buffer {
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

describe.each(SETS)('%s', (alg, scheme, arc, length) => {
  const { publicKey, secretKey } = scheme.keygen();
  const bytes = Buffer.from(publicKey);
  const key = mlDsaKeyFrom(alg, bytes) as PublicKey;
  const verificationKey = newVerificationKey(key, algorithmNamed(alg) ?? ES256, () => 'a');

  test('a key has its bytes and the name of its parameter set', () => {
    const encoding = mlDsaEncodingOf(key);
    expect(encoding).toMatchObject({ parameterSet: alg });
    expect(encoding?.bytes.equals(bytes)).toBe(true);
  });

  test('a key is read from a SubjectPublicKeyInfo', () => {
    const read = publicKeyFromSpki(spkiOf(arc, publicKey));
    expect(read && mlDsaEncodingOf(read)).toMatchObject({ parameterSet: alg, bytes });
  });

  test.each([
    ['one byte less', (spki: Buffer) => spki.subarray(0, -1)],
    ['one byte more', (spki: Buffer) => Buffer.concat([spki, Buffer.alloc(1)])],
    ['only the prefix', (spki: Buffer) => spki.subarray(0, -length)],
    ['an unknown parameter set', () => spkiOf(20, publicKey)],
    ['nothing', () => Buffer.alloc(0)],
  ])('a SubjectPublicKeyInfo with %s is refused', (_, change) => {
    expect(mlDsaKeyFromSpki(change(spkiOf(arc, publicKey)))).toBeUndefined();
  });

  test.each([0, length - 1, length + 1])('a key of %i bytes is refused', (wrong) => {
    expect(mlDsaKeyFrom(alg, Buffer.alloc(wrong))).toBeUndefined();
  });

  test('a key fits only its own algorithm', () => {
    expect(ALGORITHMS.filter(({ fits }) => fits(key)).map((algorithm) => algorithm.alg)).toEqual([alg]);
  });

  test('a signature of μ verifies as a signature of the message', () => {
    const mu = externalMu(bytes, INPUT);
    expect(mu).toHaveLength(64);
    const signature = scheme.internal.sign(mu, secretKey, { externalMu: true });
    expect(scheme.verify(signature, INPUT, publicKey)).toBe(true);
  });

  test('a signature is verified on the main thread', async () => {
    await loadMlDsa();
    const signature = Buffer.from(scheme.sign(INPUT, secretKey));
    const check = { input: INPUT, signature, key: verificationKey };
    const forged = { ...check, input: Buffer.from('Header.payload') };
    expect([verifySignature(check), verifySignature(forged)]).toEqual([true, false]);
  });
});

describe('an unknown parameter set', () => {
  test.each([['ML-DSA-45'], ['ml-dsa-44'], ['toString'], [undefined], [null], [44], [['ML-DSA-44']]])(
    '%j has no key',
    (name) => {
      expect(mlDsaKeyFrom(name, Buffer.alloc(1312))).toBeUndefined();
    },
  );
});
