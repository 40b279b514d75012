import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { VerifyOptions } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest';
import { SIGNATURE_CHECKS } from '../../src/jwt/signature-checks.js';
import { forge, newKeyPair } from '../support/forge.js';
import { close, headerOf, jwt, partsOf, restart, setUp } from './kms-jwt.service.support.js';

let check: MockInstance<typeof SIGNATURE_CHECKS.check>;

beforeEach(async () => {
  await setUp();
  check = vi.spyOn(SIGNATURE_CHECKS, 'check');
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await close();
});

/** A token that was verified twice, after which it is cached. */
async function knownToken(claims: object = { sub: 'user-42' }, options?: VerifyOptions): Promise<string> {
  const token = await jwt.sign(claims);
  await jwt.verify(token, options);
  await jwt.verify(token, options);
  check.mockClear();
  return token;
}

const refusal = (token: string, options?: VerifyOptions) =>
  jwt.verify(token, options).then(
    () => 'accepted',
    (error: unknown) => error,
  );

/** The number of signature checks for these tokens, verified in order. */
const checksOf = async (...tokens: string[]) => {
  check.mockClear();
  for (const token of tokens) await jwt.verify(token);
  return check.mock.calls.length;
};

test('the signature of a repeated token is verified only twice', async () => {
  const token = await knownToken();
  expect(await jwt.verify(token)).toMatchObject({ sub: 'user-42' });
  expect(check).not.toHaveBeenCalled();
  // An equal string in another object.
  expect(await jwt.verify(Buffer.from(`Bearer ${token}`).toString().slice(7))).toMatchObject({
    sub: 'user-42',
  });
  expect(check).not.toHaveBeenCalled();
});

describe('each verification of a cached token checks', () => {
  test('whether the token has expired', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const token = await knownToken({ exp: Math.floor(Date.now() / 1000) + 60 });
    vi.setSystemTime(Date.now() + 59_000);
    await expect(jwt.verify(token)).resolves.toBeDefined();
    vi.setSystemTime(Date.now() + 1000);
    expect(await refusal(token)).toMatchObject({ name: 'TokenExpiredError' });
    expect(await refusal(token, { ignoreExpiration: true })).toBe('accepted');
  });

  test('whether it is active, and not too old', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const token = await knownToken({ nbf: Math.floor(Date.now() / 1000) + 10 }, { ignoreNotBefore: true });
    expect(await refusal(token)).toMatchObject({ name: 'TokenNotActiveError' });
    vi.setSystemTime(Date.now() + 10_000);
    expect(await refusal(token)).toBe('accepted');
    expect(await refusal(token, { maxAge: 9 })).toMatchObject({ name: 'TokenExpiredError' });
  });

  test.each<[string, VerifyOptions, VerifyOptions, object]>([
    ['audience', { audience: 'orders' }, { audience: 'bills' }, { claim: 'aud' }],
    ['issuer', { issuer: 'auth' }, { issuer: /^other$/ }, { claim: 'iss' }],
    ['subject', { subject: 'user-42' }, { subject: 'user-43' }, { claim: 'sub' }],
    ['jwtid', { jwtid: 'a' }, { jwtid: 'b' }, { claim: 'jti' }],
    ['nonce', { nonce: 'a' }, { nonce: 'b' }, { claim: 'nonce' }],
    ['required claims', { requiredClaims: ['sub'] }, { requiredClaims: ['scope'] }, { claim: 'scope' }],
    ['typ', { typ: 'JWT' }, { typ: 'at+jwt' }, { name: 'TokenMalformedError' }],
  ])('the options of the call: %s', async (_, first, second, expected) => {
    const claims = { aud: 'orders', iss: 'auth', sub: 'user-42', jti: 'a', nonce: 'a' };
    const token = await knownToken(claims, first);
    expect(await refusal(token, second)).toMatchObject(expected);
    expect(await refusal(token, first)).toBe('accepted');
    expect(check).not.toHaveBeenCalled();
  });

  test('a token again that was refused only for its claims', async () => {
    const token = await jwt.sign({ aud: 'orders' });
    for (let time = 0; time < 2; time += 1) {
      expect(await refusal(token, { audience: 'bills' })).toMatchObject({ claim: 'aud' });
    }
    expect(await refusal(token, { audience: 'orders' })).toBe('accepted');
  });

  test('isRevoked, with new copies of the claims and the header', async () => {
    const revoked = new Set<unknown>();
    const asked: unknown[] = [];
    await restart({
      isRevoked: (claims, header) => {
        asked.push({ claims: { ...claims }, header: { ...header } });
        const isRevoked = revoked.has(claims.jti);
        Object.assign(claims, { jti: 'changed' });
        Object.assign(header, { kid: 'changed' });
        return isRevoked;
      },
    });
    const token = await knownToken({ jti: 'a' });
    await jwt.verify(token);
    expect(asked[1]).toEqual(asked[0]);
    expect(asked[1]).toMatchObject({ claims: { jti: 'a' }, header: headerOf() });
    revoked.add('a');
    expect(await refusal(token)).toMatchObject({ name: 'TokenRevokedError' });
    expect(check).not.toHaveBeenCalled();
  });

  test('the schema of the call, with a new copy of the claims', async () => {
    const seen: unknown[] = [];
    const schema: StandardSchemaV1<unknown, object> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          seen.push({ ...(value as object) });
          (value as Record<string, unknown>)['role'] = 'admin';
          return seen.length < 4 ? { value: value as object } : { issues: [{ message: '', path: ['sub'] }] };
        },
      },
    };
    const token = await knownToken({ sub: 'user-42' }, { schema });
    await jwt.verify(token, { schema });
    expect(seen[1]).toEqual(seen[0]);
    expect(await refusal(token, { schema })).toMatchObject({ claim: 'sub', reason: 'schema' });
    expect(await jwt.verify(token)).not.toHaveProperty('role');
    expect(check).not.toHaveBeenCalled();
  });
});

describe('each caller', () => {
  test('has its own copy of the claims', async () => {
    const token = await knownToken({ roles: ['user'], of: { tenant: { id: 1 } } });
    for (let time = 0; time < 2; time += 1) {
      const claims = await jwt.verify<{ roles: string[]; of: { tenant: { id: number } } }>(token);
      expect(claims).toMatchObject({ roles: ['user'], of: { tenant: { id: 1 } } });
      claims.roles.push('admin');
      claims.of.tenant.id = 2;
      Object.assign(claims, { sub: 'root' });
    }
    expect(await jwt.verify(token)).not.toHaveProperty('sub');
  });

  test('has its own copy of the header with complete, and the same signature', async () => {
    const token = await knownToken();
    for (let time = 0; time < 3; time += 1) {
      const { header, payload, signature } = await jwt.verify(token, { complete: true });
      expect(header).toEqual(headerOf());
      expect(payload).toMatchObject({ sub: 'user-42' });
      expect(signature).toBe(partsOf(token)[2]);
      header.kid = 'changed';
      header['jwk'] = {};
    }
  });
});

describe('the cache', () => {
  test('does not keep a token of over 4,096 characters', async () => {
    const token = await jwt.sign({ text: 'x'.repeat(3100) });
    expect(token.length).toBeGreaterThan(4096);
    expect(await checksOf(token, token)).toBe(2);
  });

  test('is disabled with false', async () => {
    await restart({ cache: false });
    const token = await jwt.sign({});
    expect(await checksOf(token, token)).toBe(2);
  });

  test('with max: 1 keeps the last token', async () => {
    await restart({ cache: { max: 1 } });
    const [one, two] = [await jwt.sign({ n: 1 }), await jwt.sign({ n: 2 })];
    expect(await checksOf(one, one, one, two, two, two, one)).toBe(5);
  });

  test('keeps at most 1,000 tokens by default', async () => {
    const { privateKey, publicKey } = newKeyPair();
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'a' };
    await restart({ rotation: { verificationKeys: [jwk as never] } });
    const token = (n: number) => forge({ alg: 'ES256', typ: 'JWT', kid: 'a' }, { n }, privateKey);
    const tokens = Array.from({ length: 1200 }, (_, n) => token(n));
    expect(await checksOf(...tokens)).toBe(1200);
    expect(await checksOf(...tokens)).toBe(1200);
    expect(await checksOf(...tokens.slice(200))).toBe(0);
    expect(await checksOf(...tokens.slice(0, 200))).toBe(200);
  });

  test('belongs to one instance', async () => {
    const token = await knownToken();
    await restart();
    expect(await checksOf(token)).toBe(1);
  });

  test('does not keep a token that did not verify', async () => {
    const forged = forge(headerOf(), {}, newKeyPair().privateKey);
    for (let time = 0; time < 2; time += 1) await refusal(forged);
    expect(check).toHaveBeenCalledTimes(2);
  });

  test.each<[unknown, string, string]>([
    [true, 'cache', 'must be an object, or false'],
    [{ max: 0 }, 'cache.max', 'must be a positive whole number of tokens, at most 100000'],
    [{ size: 1 }, 'cache.size', 'is unknown: the known options are max'],
  ])('cannot be %o', async (cache, option, problem) => {
    await expect(restart({ cache: cache as never })).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option,
      message: expect.stringContaining(problem),
    });
  });
});

describe('options of a call', () => {
  test('that are frozen are read each time, because an array or a getter in them may change', async () => {
    const token = await knownToken({ aud: 'orders' });
    const audience = ['orders'];
    const listed = Object.freeze({ audience });
    expect(await refusal(token, listed)).toBe('accepted');
    audience[0] = 'bills';
    expect(await refusal(token, listed)).toMatchObject({ claim: 'aud' });

    const expected = ['orders', 'bills'];
    const dynamic = Object.freeze({
      get audience() {
        return expected.shift() as string;
      },
    });
    expect(await refusal(token, dynamic)).toBe('accepted');
    expect(await refusal(token, dynamic)).toMatchObject({ claim: 'aud' });
  });
});

describe('in an app that has replaced the global Promise', () => {
  class OtherPromise<T> extends Promise<T> {}
  afterEach(() => vi.unstubAllGlobals());

  test('a token that isRevoked revokes is refused', async () => {
    await restart({ isRevoked: async () => true });
    const token = await jwt.sign({});
    vi.stubGlobal('Promise', OtherPromise);
    for (let time = 0; time < 2; time += 1)
      expect(await refusal(token)).toMatchObject({ name: 'TokenRevokedError' });
  });
});
