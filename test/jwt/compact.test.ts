import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { TokenMalformedError } from '../../src/errors.js';
import { parseCompact } from '../../src/jwt/compact.js';
import { part } from '../support/forge.js';

const HEADER = part({ alg: 'ES256' });
const PAYLOAD = part({ sub: 'user-42' });
const LIMIT = 1000;

test('a token is taken apart into header, payload, signature and what is signed', () => {
  expect(parseCompact(`${HEADER}.${PAYLOAD}.AQID`, LIMIT)).toEqual({
    header: { alg: 'ES256' },
    payload: { sub: 'user-42' },
    signature: Buffer.from([1, 2, 3]),
    signingInput: `${HEADER}.${PAYLOAD}`,
  });
});

test('a token of the longest length is read, one of a character more is not', () => {
  const token = `${HEADER}.${PAYLOAD}.AQID`;
  expect(parseCompact(token, token.length).payload).toEqual({ sub: 'user-42' });
  expect(() => parseCompact(token, token.length - 1)).toThrow(/longer than/);
});

describe('refused as malformed:', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 42],
    ['a Buffer', Buffer.from(`${HEADER}.${PAYLOAD}.AQID`)],
    ['an array', [`${HEADER}.${PAYLOAD}.AQID`]],
    ['a String object', Object(`${HEADER}.${PAYLOAD}.AQID`)],
    ['an empty string', ''],
    ['one part', HEADER],
    ['two parts', `${HEADER}.${PAYLOAD}`],
    ['four parts', `${HEADER}.${PAYLOAD}.AQID.AQID`],
    ['five parts, as of a JWE', `${HEADER}.AQID.AQID.AQID.AQID`],
    ['nothing but dots', '..'],
    ['an empty header', `.${PAYLOAD}.AQID`],
    ['an empty payload', `${HEADER}..AQID`],
    ['a header that is null', `${part('null')}.${PAYLOAD}.AQID`],
    ['a payload that is an array', `${HEADER}.${part('[]')}.AQID`],
    ['a payload that is a string', `${HEADER}.${part('"x"')}.AQID`],
    ['a payload that is a number', `${HEADER}.${part('1')}.AQID`],
    ['a payload that is not JSON', `${HEADER}.${part('{sub:1}')}.AQID`],
    ['JSON with something behind it', `${HEADER}.${part('{} {}')}.AQID`],
    ['a byte order mark', `${HEADER}.${part('\ufeff{}')}.AQID`],
    [
      'overlong UTF-8',
      `${HEADER}.${Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}.AQID`,
    ],
    ['UTF-16', `${HEADER}.${Buffer.from('{}', 'utf16le').toString('base64url')}.AQID`],
    ['a member that stands twice', `${HEADER}.${part('{"a":1,"a":1}')}.AQID`],
    ['a member called __proto__', `${HEADER}.${part('{"__proto__":{"admin":true}}')}.AQID`],
    ['padding', `${HEADER}.${PAYLOAD}.AQ==`],
  ])('%s', (_, token) => {
    expect(() => parseCompact(token, LIMIT)).toThrow(TokenMalformedError);
  });

  test('and the error quotes nothing of the token', () => {
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
