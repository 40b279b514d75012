import { beforeEach, describe, expect, test } from 'vitest';
import { forge, newKeyPair } from '../support/forge.js';
import { ADAPTERS, appsOn, GuardedController, OpenController } from './kms-jwt.guard.support.js';

describe.each(Object.entries(ADAPTERS))('on %s', (_, newAdapter) => {
  const { start, get, post, login } = appsOn(newAdapter);

  describe('a guarded route', () => {
    beforeEach(() => start([GuardedController, OpenController]));

    test('gives the claims to @Claims(), one of them to @Claims(name), and all to request.user', async () => {
      const bearer = `Bearer ${await login()}`;
      const claims = { sub: 'user-42', aud: 'orders', iat: expect.any(Number) };
      const [all, one, user] = await Promise.all(
        ['claims', 'sub', 'user'].map((path) => get(`/guarded/${path}`, bearer)),
      );
      expect(await all?.json()).toEqual(claims);
      expect(await one?.json()).toEqual({ sub: 'user-42' });
      expect(await user?.json()).toEqual(claims);
    });

    test.each(['bearer', 'BEARER', 'Bearer  '])(
      'accepts the scheme %j (RFC 9110, section 11.1)',
      async (scheme) => {
        expect((await get('/guarded/claims', `${scheme} ${await login()}`)).status).toBe(200);
      },
    );

    test.each([
      ['no header', undefined],
      ['an empty header', ''],
      ['another scheme', 'Basic dXNlcjpwYXNz'],
      ['the scheme alone', 'Bearer'],
      ['the scheme and white space', 'Bearer   '],
      ['a scheme that only starts with Bearer', 'Bearerx abc'],
    ])('answers %s with 401 and the bare challenge (RFC 6750, section 3)', async (__, authorization) => {
      const response = await get('/guarded/claims', authorization);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await response.json()).toEqual({
        statusCode: 401,
        message: 'The request carries no bearer token',
        error: 'Unauthorized',
        errorCode: 'token_missing',
      });
    });

    test.each<[string, string, () => string | Promise<string>]>([
      ['malformed', 'token_malformed', () => 'not-a-token'],
      ['of two words', 'token_malformed', async () => `${await login()} more`],
      [
        'of an unknown key',
        'token_key_unknown',
        () => forge({ alg: 'ES256', kid: 'x' }, {}, newKeyPair().privateKey),
      ],
      [
        'changed',
        'token_signature_invalid',
        async () => {
          const [header, , signature] = (await login()).split('.');
          const payload = Buffer.from('{"sub":"admin","aud":"orders"}').toString('base64url');
          return `${header}.${payload}.${signature}`;
        },
      ],
      ['expired', 'token_expired', () => login({ aud: 'orders', exp: 1 })],
      ['not active yet', 'token_not_active', () => login({ aud: 'orders', nbf: 9_999_999_999 })],
      ['for another audience', 'token_claim_invalid', () => login({ aud: 'bills' })],
    ])('answers a token that is %s with 401 and invalid_token', async (__, errorCode, token) => {
      const response = await get('/guarded/claims', `Bearer ${await token()}`);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(
        /^Bearer error="invalid_token", error_description="[^"]+"$/,
      );
      expect(await response.json()).toEqual({
        statusCode: 401,
        message: expect.any(String),
        error: 'Unauthorized',
        errorCode,
      });
    });

    test('admits a request to a @Public() route without claims, even with a bad token', async () => {
      for (const authorization of [undefined, 'Bearer nonsense', `Bearer ${await login()}`]) {
        const response = await get('/guarded/public', authorization);
        expect(await response.json()).toEqual({ claims: null });
      }
    });
  });

  test('the filter answers errors that a handler does not catch: 401 for a bad token, 500 for an invalid option', async () => {
    await start([OpenController]);
    const bad = await post('/open/verify', { token: 'nonsense' });
    expect(bad.status).toBe(401);
    expect(bad.headers.get('www-authenticate')).toContain('invalid_token');

    const wrong = await post('/open/login', { exp: 'soon' });
    expect(wrong.status).toBe(500);
    expect(await wrong.json()).toEqual({
      statusCode: 500,
      message: 'Internal Server Error',
      error: 'Internal Server Error',
      errorCode: 'options_invalid',
    });
  });
});
