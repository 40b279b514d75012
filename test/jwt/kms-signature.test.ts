import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { TokenSignatureError } from '../../src/errors/errors.js';
import { algorithmNamed, ES256 } from '../../src/jwt/algorithms.js';
import { newVerificationKey } from '../../src/jwt/jwk.js';
import { fromKmsSignature, toKmsSignature } from '../../src/jwt/kms-signature.js';
import { newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';

const KEY = verificationKey('a');

/** R‖S of two numbers. */
const joseOf = (r: string, s: string) => Buffer.from(r.padStart(64, '0') + s.padStart(64, '0'), 'hex');
const derOf = (jose: Buffer) => Buffer.from(toKmsSignature(jose, KEY)).toString('hex');

describe('an ECDSA signature for the KMS operation Verify', () => {
  test('verifies as DER, and converts back to the same signature', () => {
    const { publicKey, privateKey } = newKeyPair();
    for (let count = 0; count < 300; count += 1) {
      const input = Buffer.from(`input ${count}`);
      const jose = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const der = toKmsSignature(jose, KEY);
      expect(verify('sha256', input, { key: publicKey, dsaEncoding: 'der' }, der)).toBe(true);
      expect(fromKmsSignature(der, KEY)).toEqual(jose);
    }
  });

  test.each([
    ['leading zeros', joseOf('01', '7f'), '300602010102017f'],
    ['the first bit set', joseOf('80', 'ff00'), '300902020080020300ff00'],
    ['trailing zeros', joseOf('0100', '02'), '300702020100020102'],
  ])('is minimal DER with %s', (_, jose, der) => {
    expect(derOf(jose)).toBe(der);
  });

  test.each([
    ['is empty', Buffer.alloc(0)],
    ['is too short', joseOf('01', '01').subarray(1)],
    ['is too long', Buffer.concat([joseOf('01', '01'), Buffer.from([1])])],
    ['has r = 0', joseOf('00', '01')],
    ['has s = 0', joseOf('01', '00')],
    ['is DER', Buffer.from('300602010102017f', 'hex')],
  ])('is refused if it %s', (_, jose) => {
    expect(() => toKmsSignature(jose, KEY)).toThrow(TokenSignatureError);
  });
});

describe('an Ed25519 signature for the KMS operation Verify', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const key = newVerificationKey(publicKey, algorithmNamed('Ed25519') ?? ES256, () => 'a');

  test('is not converted, even if a half of it is zero', () => {
    const signature = Buffer.alloc(64).fill(7, 32);
    expect(toKmsSignature(signature, key)).toEqual(signature);
  });

  test.each([0, 63, 65, 72])('is refused if it has %i bytes', (length) => {
    expect(() => toKmsSignature(Buffer.alloc(length, 7), key)).toThrow(TokenSignatureError);
  });
});
