import { describe, expect, test } from 'vitest';
import {
  TokenClaimError,
  TokenExpiredError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenSignatureError,
} from '../../src/errors/errors.js';
import type { VerifySettings } from '../../src/options/settings.js';
import { forge, newKeyPair } from '../support/forge.js';
import { HEADER, newVerifier, NOW, tokenOf, verify } from './token-verifier.support.js';

test('a valid token yields its header and its claims', async () => {
  const { header, claims } = await verify(tokenOf({ sub: 'user-42' }));
  expect(JSON.parse(header.text)).toEqual(HEADER);
  expect(claims).toEqual({ sub: 'user-42' });
});

test('a token may have maxTokenLength characters, and no more', async () => {
  const token = tokenOf();
  await expect(verify(token, {}, { maxTokenLength: token.length })).resolves.toBeDefined();
  await expect(verify(token, {}, { maxTokenLength: token.length - 1 })).rejects.toBeInstanceOf(
    TokenMalformedError,
  );
});

describe('the key', () => {
  test('is the one with the kid', async () => {
    await expect(verify(tokenOf({}, { kid: 'b' }))).rejects.toThrow(new TokenKeyUnknownError());
  });

  test('is looked up by a kid of the maximum length', async () => {
    const { ring, verifier } = newVerifier();
    const kid = 'k'.repeat(256);
    await expect(verifier.verify(tokenOf({}, { kid }), {}, () => NOW)).rejects.toThrow(
      new TokenKeyUnknownError(),
    );
    expect(ring.find).toHaveBeenCalledWith(kid);
  });

  test.each([[undefined], [1], [['a']], [''], ['k'.repeat(257)]])(
    'is not looked up by the kid %o',
    async (kid) => {
      const { ring, verifier } = newVerifier();
      await expect(verifier.verify(tokenOf({}, { kid }), {}, () => NOW)).rejects.toThrow(
        new TokenKeyUnknownError(),
      );
      expect(ring.find).not.toHaveBeenCalled();
    },
  );

  test.each([['none'], ['ES384'], ['HS256'], ['es256'], [undefined], [['ES256']]])(
    'determines the algorithm: %o is refused, even with a valid signature (RFC 8725, section 3.1)',
    async (alg) => {
      await expect(verify(tokenOf({}, { alg }))).rejects.toThrow(
        new TokenSignatureError('The algorithm of the token is not that of the key'),
      );
    },
  );

  test('refuses the signature of another key', async () => {
    await expect(verify(forge(HEADER, {}, newKeyPair().privateKey))).rejects.toThrow(
      new TokenSignatureError('The signature of the token does not verify'),
    );
  });
});

test.each([
  ['crit', { crit: ['exp'] }],
  ['an empty crit', { crit: [] }],
  ['b64', { b64: true }],
  ['both', { crit: ['b64'], b64: false }],
])('a token with %s is refused (RFC 7515, section 4.1.11)', async (_, header) => {
  await expect(verify(tokenOf({}, header))).rejects.toThrow(
    new TokenMalformedError('The header parameters crit and b64 are not supported'),
  );
});

test.each([['A256GCM'], [null]])('a token with enc %o is refused (RFC 7516, section 9)', async (enc) => {
  await expect(verify(tokenOf({}, { enc }))).rejects.toThrow(
    new TokenMalformedError('Encrypted tokens (JWE) are not supported'),
  );
});

describe('a token with the typ', () => {
  test.each<[typ: unknown, expected: string | undefined, accepted: boolean]>([
    ['JWT', undefined, true],
    ['jwt', undefined, true],
    ['application/jwt', undefined, true],
    [undefined, undefined, true],
    ['at+jwt', undefined, false],
    [1, undefined, false],
    [null, undefined, false],
    ['at+jwt', 'at+jwt', true],
    ['application/AT+JWT', 'at+jwt', true],
    ['JWT', 'at+jwt', false],
    [undefined, 'at+jwt', false],
    [['at+jwt'], 'at+jwt', false],
  ])('%o is accepted when %o is expected: %o', async (typ, expected, accepted) => {
    const verified = verify(tokenOf({}, { typ }), expected === undefined ? {} : { typ: expected });
    if (accepted) await expect(verified).resolves.toBeDefined();
    else
      await expect(verified).rejects.toThrow(new TokenMalformedError('The token is not of the expected typ'));
  });
});

describe('claims', () => {
  test('are checked against the options', async () => {
    await expect(verify(tokenOf({ aud: 'users' }), { audience: ['orders'] })).rejects.toThrow(
      new TokenClaimError('aud', 'mismatch', 'The aud claim does not match the expected audience'),
    );
  });

  test('are checked against the time, or clockTimestamp if given', async () => {
    await expect(verify(tokenOf({ exp: NOW }))).rejects.toBeInstanceOf(TokenExpiredError);
    await expect(verify(tokenOf({ exp: NOW }), { clockTimestamp: NOW - 1 })).resolves.toBeDefined();
    await expect(verify(tokenOf({ exp: 1 }), { clockTimestamp: 0 })).resolves.toBeDefined();
  });
});

describe('the ring does not record the lifetime of a verified token:', () => {
  test.each<[string, string, VerifySettings]>([
    ['one that is valid for ten years', tokenOf({ exp: NOW + 315_360_000 }), {}],
    ['one that is valid for one more second', tokenOf({ exp: NOW + 1 }), {}],
    ['one verified with ignoreExpiration', tokenOf({ exp: NOW - 60 }), { ignoreExpiration: true }],
    ['one without exp', tokenOf(), {}],
    ['one that has expired', tokenOf({ exp: NOW }), {}],
    ['one of another key', forge(HEADER, { exp: NOW + 60 }, newKeyPair().privateKey), {}],
  ])('%s', async (_, token, options) => {
    const { ring, verifier } = newVerifier();
    await verifier.verify(token, options, () => NOW).catch(() => undefined);
    expect(ring.recordLifetime).not.toHaveBeenCalled();
  });
});
