import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { TokenMalformedError } from '../../src/errors/errors.js';
import { canonicalType, parseCompact } from '../../src/jwt/compact.js';
import { part } from '../support/forge.js';

const HEADER = part({ alg: 'ES256' });
const PAYLOAD = part({ sub: 'user-42' });
const LIMIT = 1000;
const parts = (header: string, payload: string) => `${header}.${payload}.AQID`;
const bytes = (...values: number[]) => Buffer.from(values).toString('base64url');

test('a token is parsed into header, payload, signature and signing input', () => {
  expect(parseCompact(`${HEADER}.${PAYLOAD}.AQID`, LIMIT)).toEqual({
    header: { alg: 'ES256' },
    payload: { sub: 'user-42' },
    signature: Buffer.from([1, 2, 3]),
    signingInput: `${HEADER}.${PAYLOAD}`,
  });
});

test('a token of the maximum length is parsed, and a longer one is refused', () => {
  const token = `${HEADER}.${PAYLOAD}.AQID`;
  expect(parseCompact(token, token.length).payload).toEqual({ sub: 'user-42' });
  expect(() => parseCompact(token, token.length - 1)).toThrow(
    new TokenMalformedError(`The token is longer than ${token.length - 1} characters`),
  );
});

describe('refuses as malformed', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 42],
    ['a Buffer', Buffer.from(parts(HEADER, PAYLOAD))],
    ['an array', [parts(HEADER, PAYLOAD)]],
    ['a String object', Object(parts(HEADER, PAYLOAD))],
  ])('%s', (_, token) => {
    expect(() => parseCompact(token, LIMIT)).toThrow(new TokenMalformedError('The token is not a string'));
  });

  test.each([
    ['an empty string', ''],
    ['one part', HEADER],
    ['two parts', `${HEADER}.${PAYLOAD}`],
    ['four parts', `${HEADER}.${PAYLOAD}.AQID.AQID`],
    ['four parts, the last empty', `${HEADER}.${PAYLOAD}.AQID.`],
    ['five parts, as of a JWE', `${HEADER}.AQID.AQID.AQID.AQID`],
  ])('%s', (_, token) => {
    expect(() => parseCompact(token, LIMIT)).toThrow(
      new TokenMalformedError('The token does not have three parts'),
    );
  });

  describe.each([
    ['header', (text: string) => parts(text, PAYLOAD)],
    ['payload', (text: string) => parts(HEADER, text)],
  ])('a %s that', (name, tokenWith) => {
    test.each([
      ['is null', 'null'],
      ['is an array', '[]'],
      ['is a string', '"x"'],
      ['is a number', '1'],
    ])('%s', (_, json) => {
      expect(() => parseCompact(tokenWith(part(json)), LIMIT)).toThrow(
        new TokenMalformedError(`The ${name} of the token is not a JSON object`),
      );
    });

    test.each([
      ['is empty', ''],
      ['is not JSON', part('{sub:1}')],
      ['has text after its JSON', part('{} {}')],
      ['begins with a byte order mark', part('\ufeff{}')],
      ['is in overlong UTF-8', bytes(0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d)],
      ['is in UTF-16', Buffer.from('{}', 'utf16le').toString('base64url')],
      ['has a duplicate member', part('{"a":1,"a":1}')],
      ['has a member named __proto__', part('{"__proto__":{"admin":true}}')],
    ])('%s', (_, text) => {
      expect(() => parseCompact(tokenWith(text), LIMIT)).toThrow(
        new TokenMalformedError(`The ${name} of the token is not unambiguous JSON in UTF-8`),
      );
    });
  });

  test('two dots', () => {
    expect(() => parseCompact('..', LIMIT)).toThrow(/^The header of the token is not unambiguous JSON/);
  });

  test('padding in any part', () => {
    for (const token of [`${HEADER}=.${PAYLOAD}.AQ`, `${HEADER}.${PAYLOAD}=.AQ`, `${HEADER}.${PAYLOAD}.AQ==`])
      expect(() => parseCompact(token, LIMIT)).toThrow(/canonical base64url/);
  });

  test('without quoting the token in the error', () => {
    const secret = part('{"password":"hunter2", oops}');
    let thrown: unknown;
    try {
      parseCompact(`${HEADER}.${secret}.AQID`, LIMIT);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TokenMalformedError);
    expect(inspect(thrown, { depth: null, showHidden: true })).not.toContain('hunter2');
  });
});

test.each([
  ['JWT', 'jwt'],
  ['at+jwt', 'at+jwt'],
  ['Application/AT+JWT', 'at+jwt'],
  ['application/application/jwt', 'application/jwt'],
  ['x-application/jwt', 'x-application/jwt'],
  ['\u212ab+jwt', '\u212ab+jwt'],
])('the typ %s is compared as %s (RFC 7515, section 4.1.9)', (typ, canonical) => {
  expect(canonicalType(typ)).toBe(canonical);
});
