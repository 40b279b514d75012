import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { KmsJwtOptionsError } from '../../src/errors/errors.js';
import { type JwtClaims, makeClaims, serializeClaims } from '../../src/jwt/claims.js';

const NOW = 1_700_000_000;
const LAST_SECOND = Date.parse('9999-12-31T23:59:59Z') / 1000;

describe('makeClaims', () => {
  test('adds iat in whole seconds', () => {
    expect(makeClaims({ sub: 'user-42' }, {}, NOW + 0.9)).toEqual({ sub: 'user-42', iat: NOW });
  });

  test('omits iat with noTimestamp', () => {
    expect(makeClaims({ sub: 'user-42' }, { noTimestamp: true }, NOW)).toEqual({ sub: 'user-42' });
    expect(makeClaims({ iat: NOW }, { noTimestamp: true }, NOW)).toEqual({});
  });

  test('counts exp and nbf from iat', () => {
    const add = { expiresIn: 900, notBefore: -10 };
    expect(makeClaims({}, add, NOW)).toEqual({ iat: NOW, exp: NOW + 900, nbf: NOW - 10 });
  });

  test('counts from the iat of the payload, if it has one', () => {
    expect(makeClaims({ iat: 1000 }, { expiresIn: 60 }, NOW)).toEqual({ iat: 1000, exp: 1060 });
  });

  test('sets issuer, audience, subject and jwtid', () => {
    const add = { issuer: 'i', audience: ['a', 'b'], subject: 's', jwtid: 'j', noTimestamp: true };
    expect(makeClaims({}, add, NOW)).toEqual({ iss: 'i', aud: ['a', 'b'], sub: 's', jti: 'j' });
  });

  test('does not change the payload', () => {
    const payload = Object.freeze({ sub: 'user-42' });
    makeClaims(payload, { expiresIn: 60 }, NOW);
    expect(payload).toEqual({ sub: 'user-42' });
  });

  test.each([
    ['expiresIn', 'exp', { exp: NOW }, { expiresIn: 60 }],
    ['notBefore', 'nbf', { nbf: NOW }, { notBefore: 60 }],
    ['audience', 'aud', { aud: 'a' }, { audience: 'a' }],
    ['issuer', 'iss', { iss: 'i' }, { issuer: 'i' }],
    ['subject', 'sub', { sub: 's' }, { subject: 's' }],
    ['jwtid', 'jti', { jti: 'j' }, { jwtid: 'j' }],
  ])(
    'refuses the option %s of the call together with a payload that has %s',
    (option, claim, payload, asked) => {
      expect(() => makeClaims(payload, { ...asked, asked }, NOW)).toThrow(
        new KmsJwtOptionsError(
          option,
          `cannot be combined with a payload that has ${claim}: set one of the two`,
        ),
      );
    },
  );

  test('prefers the payload to the defaults of the module, even with other options of the call', () => {
    const defaults = { expiresIn: 60, notBefore: 5, audience: 'a', issuer: 'i', subject: 's', jwtid: 'j' };
    const payload = { exp: NOW + 1, nbf: NOW, aud: 'b', iss: 'k', sub: 't', jti: 'l' };
    expect(makeClaims(payload, defaults, NOW)).toEqual({ ...payload, iat: NOW });
    const asked = { audience: 'c' };
    const { aud: _, ...others } = payload;
    expect(makeClaims(others, { ...defaults, ...asked, asked }, NOW)).toEqual({
      ...others,
      aud: 'c',
      iat: NOW,
    });
  });

  test.each([
    ['expiresIn', 'exp', { expiresIn: LAST_SECOND - NOW + 1 }],
    ['notBefore', 'nbf', { notBefore: -NOW - 1 }],
  ])('refuses an %s that puts %s out of range', (option, claim, add) => {
    const seconds = 'must be a whole number of seconds (not milliseconds) since 1970';
    expect(() => makeClaims({}, add, NOW)).toThrow(
      new KmsJwtOptionsError(option, `puts ${claim} out of range: ${claim} ${seconds}`),
    );
  });

  test('accepts any second from 1970 to the end of the year 9999', () => {
    const claims = { iat: 0, nbf: 0, exp: LAST_SECOND };
    expect(makeClaims(claims, {}, NOW)).toEqual(claims);
    expect(() => makeClaims({ exp: LAST_SECOND + 1 }, {}, NOW)).toThrow(KmsJwtOptionsError);
  });

  test.each([
    ['exp', '1700000000'],
    ['exp', NOW + 0.5],
    ['exp', Number.NaN],
    ['exp', Number.POSITIVE_INFINITY],
    ['exp', -1],
    ['exp', NOW * 1000],
    ['exp', new Date()],
    ['nbf', '0'],
    ['iat', null],
    ['iss', 7],
    ['sub', 42],
    ['jti', {}],
    ['aud', ['a', 1]],
    ['aud', { a: 1 }],
  ])('refuses a payload whose %s is %o', (claim, value) => {
    expect(() => makeClaims({ [claim]: value }, {}, NOW)).toThrow(
      expect.objectContaining({ name: 'KmsJwtOptionsError', option: `payload.${claim}` }),
    );
  });

  test.each([
    ['iss', 'must be a string'],
    ['sub', 'must be a string'],
    ['jti', 'must be a string'],
    ['aud', 'must be a string or an array of strings'],
    ['exp', 'must be a whole number of seconds (not milliseconds) since 1970'],
    ['nbf', 'must be a whole number of seconds (not milliseconds) since 1970'],
    ['iat', 'must be a whole number of seconds (not milliseconds) since 1970'],
  ])('says that %s %s', (claim, expected) => {
    expect(() => makeClaims({ [claim]: false }, {}, NOW)).toThrow(
      new KmsJwtOptionsError(`payload.${claim}`, expected),
    );
  });

  test.each([
    ['null', null],
    ['a string', 'user-42'],
    ['an array', []],
    ['a Map', new Map()],
    ['a Date', new Date()],
    ['a Buffer', Buffer.from('{}')],
    ['an instance of a class', new URL('https://user.example')],
    ['an object with toJSON()', { toJSON: () => ({ exp: 'never' }) }],
  ])('refuses %s as a payload', (_, payload) => {
    expect(() => makeClaims(payload as object, {}, NOW)).toThrow(
      new KmsJwtOptionsError('payload', 'must be a plain object'),
    );
  });

  test('refuses a payload that throws while it is read', () => {
    const payload = new Proxy({}, { ownKeys: () => JSON.parse('"') as string[] });
    expect(() => makeClaims(payload, {}, NOW)).toThrow(
      new KmsJwtOptionsError('payload', 'must be serializable as JSON'),
    );
  });

  test('accepts a claim named toJSON that is not a function', () => {
    expect(makeClaims({ toJSON: true }, { noTimestamp: true }, NOW)).toEqual({ toJSON: true });
  });

  test('accepts a plain object from another realm, as in Jest, and one without a prototype', () => {
    const add = { noTimestamp: true };
    expect(makeClaims(runInNewContext('({ sub: "s" })') as object, add, NOW)).toEqual({ sub: 's' });
    expect(makeClaims(Object.assign(Object.create(null) as object, { sub: 's' }), add, NOW)).toEqual({
      sub: 's',
    });
  });
});

describe('serializeClaims', () => {
  test('writes JSON without undefined members, as JSON.stringify does', () => {
    const nested = { list: [1, null, 'ü', true, false], gone: undefined };
    expect(serializeClaims({ sub: 's', nested, gone: undefined })).toBe(
      '{"sub":"s","nested":{"list":[1,null,"ü",true,false]}}',
    );
  });

  test('refuses a claim named __proto__', () => {
    const claims = JSON.parse('{"sub":"user-42","__proto__":{"admin":true}}') as JwtClaims;
    expect(() => serializeClaims(claims)).toThrow(
      new KmsJwtOptionsError(
        'payload',
        'must not contain a member named __proto__ or a name that JSON must escape',
      ),
    );
  });

  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.NEGATIVE_INFINITY],
    ['a Date', new Date()],
    ['a BigInt', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a Map', new Map()],
    ['a RegExp', /x/],
    ['a Number object', Object(Number.NaN)],
    ['an instance of a class', new URL('https://user.example')],
    ['an object with toJSON()', { toJSON: () => 'x' }],
    ['undefined in an array', [undefined]],
  ])('refuses %s at any depth, and names the claim', (_, value) => {
    for (const claim of [value, [value], { deep: [{ deeper: value }] }]) {
      expect(() => serializeClaims({ sub: 's', custom: claim })).toThrow(
        expect.objectContaining({ name: 'KmsJwtOptionsError', option: 'payload.custom' }),
      );
    }
  });
});

const circle = {};
test('serializeClaims refuses claims nested too deeply for the stack', () => {
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
  expect(() => serializeClaims({ deep })).toThrow(
    new KmsJwtOptionsError('payload', 'must be serializable as JSON'),
  );
});

test.each([
  ['a circle', () => Object.assign(circle, { circle })],
  [
    'a getter that throws',
    () => Object.defineProperty({}, 'x', { enumerable: true, get: () => JSON.parse('"') as unknown }),
  ],
])('serializeClaims refuses %s', (_, value) => {
  expect(() => serializeClaims({ custom: value() })).toThrow(
    expect.objectContaining({ name: 'KmsJwtOptionsError', option: 'payload' }),
  );
});
