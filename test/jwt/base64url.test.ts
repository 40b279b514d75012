import { describe, expect, test } from 'vitest';
import { TokenMalformedError } from '../../src/errors/errors.js';
import { decodeBase64url, encodeBase64url } from '../../src/jwt/base64url.js';

describe('encodeBase64url', () => {
  test.each([
    ['', ''],
    ['f', 'Zg'],
    ['fo', 'Zm8'],
    ['foo', 'Zm9v'],
    ['<<???>>', 'PDw_Pz8-Pg'],
    ['ü', 'w7w'],
  ])('encodes %j as %j, without padding (RFC 4648, section 5)', (text, encoded) => {
    expect(encodeBase64url(text)).toBe(encoded);
    expect(decodeBase64url(encoded).toString('utf8')).toBe(text);
  });

  test('encodes the bytes of a view, not those of its buffer', () => {
    expect(encodeBase64url(new Uint8Array([0, 102, 111, 0]).subarray(1, 3))).toBe('Zm8');
  });
});

describe('decodeBase64url refuses', () => {
  test.each([
    ['padding', 'Zg=='],
    ['the other alphabet', 'PDw/Pz8+Pg'],
    ['set trailing bits', 'Zh'],
    ['a length of 1 mod 4', 'Zm9vZ'],
    ['white space inside', 'Zm 9v'],
    ['a line feed at the end', 'Zm9v\n'],
    ['a non-ASCII character', 'Zm9vé'],
    ['NUL', 'Zm9v\0'],
    ['a lone surrogate', 'Zm9v\ud800'],
  ])('%s', (_, text) => {
    expect(() => decodeBase64url(text)).toThrow(
      new TokenMalformedError('The token is not in canonical base64url'),
    );
  });
});
