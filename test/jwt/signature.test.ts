import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KmsSignatureError } from '../../src/errors/errors.js';
import { algorithmNamed, type AlgorithmName } from '../../src/jwt/algorithms.js';
import { newVerificationKey } from '../../src/jwt/jwk.js';
import { fromKmsSignature } from '../../src/jwt/kms-signature.js';
import { verifySignature } from '../../src/jwt/signature.js';
import { newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';

const KEY = verificationKey('a');

const integer = (...bytes: number[]) => [0x02, bytes.length, ...bytes];
const sequence = (...body: number[]) => Uint8Array.from([0x30, body.length, ...body]);
const bytes = (first: number, length: number) => [first, ...Array<number>(length - 1).fill(0x11)];
const long = (first: number, length = 32) => integer(...bytes(first, length));

describe('an ECDSA signature', () => {
  test.each([
    ['two integers of 32 bytes', sequence(...long(0x11), ...long(0x7f))],
    [
      'r and s with the sign byte for a set first bit',
      sequence(
        ...integer(0, ...Array<number>(32).fill(0x81)),
        ...integer(0, ...Array<number>(32).fill(0xff)),
      ),
    ],
    ['a short r', sequence(...integer(0x01), ...long(0x11))],
    ['a short s', sequence(...long(0x11), ...integer(0x00, 0x80))],
  ])('converts %s to 64 bytes', (_, der) => {
    expect(fromKmsSignature(der, KEY)).toHaveLength(64);
  });

  test('pads a short integer on the left', () => {
    const jose = fromKmsSignature(sequence(...integer(0x01), ...integer(0x00, 0x80)), KEY);
    expect(jose.toString('hex')).toBe(`${'00'.repeat(31)}01${'00'.repeat(31)}80`);
  });

  test('converts at least 2,000 signatures of OpenSSL, some with a short r or s, to ones that verify', () => {
    const { privateKey, publicKey } = newKeyPair();
    const key = verificationKey('a', publicKey);
    const seen = { shortR: false, shortS: false };
    for (let index = 0; index < 2000 || !seen.shortR || !seen.shortS; index += 1) {
      const der = sign('sha256', Buffer.from(`message ${index}`), privateKey);
      const jose = fromKmsSignature(new Uint8Array(der), key);
      expect(verifySignature({ input: Buffer.from(`message ${index}`), signature: jose, key })).toBe(true);
      seen.shortR ||= jose[0] === 0;
      seen.shortS ||= jose[32] === 0;
    }
    expect(seen).toEqual({ shortR: true, shortS: true });
  });

  test('reads the bytes of a view, not those of its buffer', () => {
    const der = sequence(...long(0x11), ...long(0x12));
    const padded = Uint8Array.from([9, 9, ...der, 9]);
    expect(fromKmsSignature(padded.subarray(2, -1), KEY)).toEqual(fromKmsSignature(der, KEY));
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['one byte', Uint8Array.from([0x30])],
    ['another tag', Uint8Array.from([0x31, 0x06, ...integer(1), ...integer(1)])],
    ['a SEQUENCE length that is one short', Uint8Array.from([0x30, 0x05, ...integer(1), ...integer(1)])],
    ['a SEQUENCE length that is one long', Uint8Array.from([0x30, 0x07, ...integer(1), ...integer(1)])],
    ['a SEQUENCE length of 0', Uint8Array.from([0x30, 0x00, ...integer(1), ...integer(1)])],
    ['a length in long form', Uint8Array.from([0x30, 0x81, 0x06, ...integer(1), ...integer(1)])],
    ['an indefinite length', Uint8Array.from([0x30, 0x80, ...integer(1), ...integer(1), 0, 0])],
    ['bytes after the SEQUENCE', Uint8Array.from([...sequence(...integer(1), ...integer(1)), 0])],
    ['bytes after s inside the SEQUENCE', sequence(...integer(1), ...integer(1), 0)],
    ['one integer', sequence(...integer(1))],
    ['three integers', sequence(...integer(1), ...integer(1), ...integer(1))],
    ['another tag for r', sequence(0x03, 1, 1, ...integer(1))],
    ['another tag for s', sequence(...integer(1), 0x03, 1, 1)],
    ['an r of no bytes', sequence(...integer(), ...integer(1))],
    ['an s of no bytes', sequence(...integer(1), ...integer())],
    ['a negative r', sequence(...long(0x80), ...long(0x11))],
    ['a negative s', sequence(...long(0x11), ...long(0xff))],
    ['an r of zero', sequence(...integer(0), ...long(0x11))],
    ['an s of zero', sequence(...long(0x11), ...integer(0))],
    ['an s of two zero bytes', sequence(...long(0x11), ...integer(0, 0))],
    ['superfluous padding', sequence(...integer(0, 0x11), ...long(0x11))],
    ['an r of 33 bytes', sequence(...long(0x11, 33), ...long(0x11))],
    ['an s of 34 bytes', sequence(...long(0x11), ...integer(0, ...Array<number>(33).fill(0x81)))],
    ['an r that extends beyond the end', sequence(0x02, 0x20, 1)],
    ['an s that extends beyond the end', sequence(...integer(1), 0x02, 0x02, 1)],
    ['a JOSE signature', Uint8Array.from(Array<number>(64).fill(0x11))],
  ])('refuses %s', (_, der) => {
    expect(() => fromKmsSignature(der, KEY)).toThrow(
      new KmsSignatureError('KMS returned a signature that is not well-formed DER'),
    );
  });
});

describe('an ECDSA signature with P-521', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-521' });
  const key = keyFor('ES512', publicKey);
  const der = (r: number[], s: number[]) => {
    const body = [...integer(...r), ...integer(...s)];
    return Uint8Array.from(
      body.length < 0x80 ? [0x30, body.length, ...body] : [0x30, 0x81, body.length, ...body],
    );
  };

  test('may have a length in long form, as OpenSSL writes it', () => {
    for (let index = 0; index < 100; index += 1) {
      const input = Buffer.from(`message ${index}`);
      const signature = fromKmsSignature(sign('sha512', input, privateKey), key);
      expect(verifySignature({ input, signature, key })).toBe(true);
    }
  });

  test.each([
    ['the largest length in short form', der(bytes(0x01, 62), bytes(0x01, 61))],
    ['the smallest length in long form', der(bytes(0x01, 62), bytes(0x01, 62))],
    ['two integers of 66 bytes', der(bytes(0x01, 66), bytes(0x01, 66))],
  ])('converts %s to 132 bytes', (_, encoded) => {
    expect(fromKmsSignature(encoded, key)).toHaveLength(132);
  });

  test.each([
    [
      'a length in long form that fits the short form',
      Uint8Array.from([0x30, 0x81, 0x06, ...integer(1), ...integer(1)]),
    ],
    [
      'a length of two bytes',
      Uint8Array.from([0x30, 0x82, 0, 128, ...integer(...bytes(1, 62)), ...integer(...bytes(1, 62))]),
    ],
    [
      'a length in long form that is one short',
      Uint8Array.from([0x30, 0x81, 127, ...integer(...bytes(1, 62)), ...integer(...bytes(1, 62))]),
    ],
    [
      'a length in long form that is one long',
      Uint8Array.from([0x30, 0x81, 129, ...integer(...bytes(1, 62)), ...integer(...bytes(1, 62))]),
    ],
    [
      'a length of 128 in short form',
      Uint8Array.from([0x30, 0x80, ...integer(...bytes(1, 62)), ...integer(...bytes(1, 62))]),
    ],
    [
      'a long form with another first byte',
      Uint8Array.from([0x30, 0x83, 128, ...integer(...bytes(1, 62)), ...integer(...bytes(1, 62))]),
    ],
    ['bytes after it', Uint8Array.from([...der(bytes(1, 66), bytes(1, 66)), 0])],
    ['an r of 67 bytes', der(bytes(0x01, 67), bytes(0x01, 60))],
  ])('refuses %s', (_, encoded) => {
    expect(() => fromKmsSignature(encoded, key)).toThrow(KmsSignatureError);
  });
});

describe.each([
  ['ES384', 'P-384', 'sha384', 96],
  ['ES256K', 'secp256k1', 'sha256', 64],
] as const)('an ECDSA signature of %s', (alg, namedCurve, hash, length) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const key = keyFor(alg, publicKey);

  test('verifies as R and S', () => {
    for (let index = 0; index < 50; index += 1) {
      const input = Buffer.from(`message ${index}`);
      const signature = fromKmsSignature(sign(hash, input, privateKey), key);
      expect(signature).toHaveLength(length);
      expect(verifySignature({ input, signature, key })).toBe(true);
    }
  });
});

describe('an RSA or Ed25519 signature', () => {
  const rsa = keyFor('RS256', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey);
  const ed25519 = keyFor('Ed25519', generateKeyPairSync('ed25519').publicKey);

  test('is not converted', () => {
    const signature = Uint8Array.from(Array<number>(256).fill(7));
    expect(fromKmsSignature(signature, rsa)).toEqual(Buffer.from(signature));
  });

  test.each([
    ['RSA', rsa, 255],
    ['RSA', rsa, 257],
    ['Ed25519', ed25519, 63],
    ['Ed25519', ed25519, 70],
    ['Ed25519', ed25519, 0],
  ])('of %s is refused with a wrong length', (_, key, length) => {
    expect(() => fromKmsSignature(new Uint8Array(length), key)).toThrow(
      new KmsSignatureError('KMS returned a signature of the wrong length'),
    );
  });
});

describe('verifySignature', () => {
  const { privateKey, publicKey } = newKeyPair();
  const key = verificationKey('a', publicKey);
  const input = Buffer.from('input');
  const signature = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });

  test('accepts the signature of the key over the input', () => {
    expect(verifySignature({ input, signature, key })).toBe(true);
  });

  test('refuses it for another input or key', () => {
    expect(verifySignature({ input: Buffer.from('Input'), signature, key })).toBe(false);
    expect(verifySignature({ input, signature, key: KEY })).toBe(false);
  });

  test.each([
    ['zeros', Buffer.alloc(64)],
    ['ones', Buffer.alloc(64, 0xff)],
    ['r and s swapped', Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])],
  ])('refuses %s without an exception', (_, other) => {
    expect(verifySignature({ input, signature: other, key })).toBe(false);
  });
});

function keyFor(alg: AlgorithmName, publicKey: ReturnType<typeof newKeyPair>['publicKey']) {
  return newVerificationKey(
    publicKey,
    algorithmNamed(alg) as NonNullable<ReturnType<typeof algorithmNamed>>,
    () => 'a',
  );
}
