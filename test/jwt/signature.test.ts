import { sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KmsSignatureError } from '../../src/errors/errors.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import { decodeBase64url } from '../../src/jwt/base64url.js';
import { derToJoseSignature, isSignatureValid } from '../../src/jwt/signature.js';
import { newKeyPair } from '../support/forge.js';

const integer = (...bytes: number[]) => [0x02, bytes.length, ...bytes];
const sequence = (...body: number[]) => Uint8Array.from([0x30, body.length, ...body]);
const long = (first: number, length = 32) => integer(first, ...Array<number>(length - 1).fill(0x11));

describe('derToJoseSignature', () => {
  test.each([
    ['two integers of 32 bytes', sequence(...long(0x11), ...long(0x7f))],
    [
      'r and s with the sign byte that their first bit asks for',
      sequence(
        ...integer(0, ...Array<number>(32).fill(0x81)),
        ...integer(0, ...Array<number>(32).fill(0xff)),
      ),
    ],
    ['a short r', sequence(...integer(0x01), ...long(0x11))],
    ['a short s', sequence(...long(0x11), ...integer(0x00, 0x80))],
  ])('turns %s into 64 bytes', (_, der) => {
    expect(decodeBase64url(derToJoseSignature(der, ES256))).toHaveLength(64);
  });

  test('pads a short integer on the left', () => {
    const jose = decodeBase64url(
      derToJoseSignature(sequence(...integer(0x01), ...integer(0x00, 0x80)), ES256),
    );
    expect(jose.toString('hex')).toBe(`${'00'.repeat(31)}01${'00'.repeat(31)}80`);
  });

  test('is the inverse of what OpenSSL does, for 2,000 signatures and until a short r and a short s have come', () => {
    const { privateKey, publicKey } = newKeyPair();
    const seen = { shortR: false, shortS: false };
    for (let index = 0; index < 2000 || !seen.shortR || !seen.shortS; index += 1) {
      const der = sign('sha256', Buffer.from(`message ${index}`), privateKey);
      const jose = decodeBase64url(derToJoseSignature(new Uint8Array(der), ES256));
      expect(isSignatureValid(`message ${index}`, jose, publicKey, ES256)).toBe(true);
      seen.shortR ||= jose[0] === 0;
      seen.shortS ||= jose[32] === 0;
    }
    expect(seen).toEqual({ shortR: true, shortS: true });
  });

  test('reads the bytes of a view, not of the buffer behind it', () => {
    const der = sequence(...long(0x11), ...long(0x12));
    const padded = Uint8Array.from([9, 9, ...der, 9]);
    expect(derToJoseSignature(padded.subarray(2, -1), ES256)).toBe(derToJoseSignature(der, ES256));
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
    ['bytes behind the SEQUENCE', Uint8Array.from([...sequence(...integer(1), ...integer(1)), 0])],
    ['bytes behind s inside the SEQUENCE', sequence(...integer(1), ...integer(1), 0)],
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
    ['padding that is not needed', sequence(...integer(0, 0x11), ...long(0x11))],
    ['an r of 33 bytes', sequence(...long(0x11, 33), ...long(0x11))],
    ['an s of 34 bytes', sequence(...long(0x11), ...integer(0, ...Array<number>(33).fill(0x81)))],
    ['an r that goes on beyond the end', sequence(0x02, 0x20, 1)],
    ['an s that goes on beyond the end', sequence(...integer(1), 0x02, 0x02, 1)],
    ['a JOSE signature', Uint8Array.from(Array<number>(64).fill(0x11))],
  ])('refuses %s', (_, der) => {
    expect(() => derToJoseSignature(der, ES256)).toThrow(
      new KmsSignatureError('KMS returned a signature that is not well-formed DER'),
    );
  });
});

describe('isSignatureValid', () => {
  const { privateKey, publicKey } = newKeyPair();
  const signature = sign('sha256', Buffer.from('input'), { key: privateKey, dsaEncoding: 'ieee-p1363' });

  test('says yes to the signature of the key over the input', () => {
    expect(isSignatureValid('input', signature, publicKey, ES256)).toBe(true);
  });

  test('says no to another input and to another key', () => {
    expect(isSignatureValid('Input', signature, publicKey, ES256)).toBe(false);
    expect(isSignatureValid('input', signature, newKeyPair().publicKey, ES256)).toBe(false);
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['63 bytes', signature.subarray(1)],
    ['65 bytes', Buffer.concat([Buffer.alloc(1), signature])],
    ['zeros', Buffer.alloc(64)],
    ['ones', Buffer.alloc(64, 0xff)],
    ['r and s swapped', Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])],
    ['DER', sign('sha256', Buffer.from('input'), privateKey)],
  ])('says no to %s, and does not throw', (_, other) => {
    expect(isSignatureValid('input', other, publicKey, ES256)).toBe(false);
  });
});
