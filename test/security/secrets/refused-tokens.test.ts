import { TokenError, type VerifyOptions } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { newCanary } from './secrets.js';
import { setUp } from './support.js';

/** A schema that receives the claims as a string. */
const schemaThat = (refuse: (claims: string) => { issues: { message: string; path?: string[] }[] }) => ({
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (claims: unknown) => refuse(JSON.stringify(claims)),
  },
});

describe('no claim or expected value is logged or sent when a valid token is refused for', () => {
  test.each<[string, (expected: string) => VerifyOptions]>([
    ['another issuer', (issuer) => ({ issuer })],
    ['another issuer, with expressions', (issuer) => ({ issuer: [issuer, new RegExp(issuer)] })],
    ['another audience', (audience) => ({ audience: [audience, 'nobody'] })],
    ['another subject', (subject) => ({ subject })],
    ['another id', (jwtid) => ({ jwtid })],
    ['another nonce', (nonce) => ({ nonce })],
    ['maxAge', () => ({ maxAge: '1h' })],
    ['a missing claim', () => ({ requiredClaims: ['exp'] })],
    ['another type', (typ) => ({ typ })],
    ['a Zod schema', (sub) => ({ schema: z.object({ sub: z.literal(sub) }) })],
    [
      'a schema whose issues quote the claims',
      () => ({ schema: schemaThat((message) => ({ issues: [{ message, path: ['account', 'emails'] }] })) }),
    ],
    [
      'a schema that throws',
      () => ({
        schema: schemaThat((claims) => {
          throw new TypeError(claims);
        }),
      }),
    ],
  ])('%s', async (_, expecting) => {
    const { jwt, token, secrets, call, thrownBy, recorder } = await setUp();
    const expected = newCanary();
    secrets.add('the expected value', expected);
    const verify = expecting(expected);

    expect(await thrownBy(() => jwt.verify(token, verify))).toBeInstanceOf(TokenError);
    expect(await call(token, { verify })).toBe(401);
    expect(secrets.foundIn(recorder.recorded)).toEqual([]);
  });

  test('a missing scope', async () => {
    const { token, secrets, call, recorder } = await setUp();
    expect(await call(token, { path: '/scoped' })).toBe(403);
    expect(secrets.foundIn(recorder.recorded)).toEqual([]);
  });

  test('a failing schema', async () => {
    const { jwt, token, secrets, call, thrownBy, recorder } = await setUp();
    const schema = schemaThat((claims) => Promise.reject(new Error(`SELECT ${claims}`)) as never);
    const verify = { schema };
    expect(await thrownBy(() => jwt.verify(token, verify))).toMatchObject({ code: 'schema_unavailable' });
    expect(await call(token, { verify })).toBe(503);
    expect(secrets.foundIn(recorder.recorded)).toEqual([]);
  });

  test('a failing isRevoked', async () => {
    const errors = [
      ({ jti }: { jti?: string }) => new Error(`MOVED ${jti}`),
      ({ jti }: { jti?: string }) =>
        Object.assign(new Error('unavailable'), { command: { args: [`revoked:${jti}`] } }),
      ({ jti }: { jti?: string }) => new Error('unavailable', { cause: new Error(`GET revoked:${jti}`) }),
      (claims: object) => JSON.stringify(claims),
    ];
    for (const errorOf of errors) {
      const { jwt, token, secrets, call, thrownBy, recorder } = await setUp({
        isRevoked: (claims) => {
          throw errorOf(claims);
        },
      });
      expect(await thrownBy(() => jwt.verify(token))).toMatchObject({ code: 'revocation_unavailable' });
      expect(await call(token)).toBe(503);
      expect(secrets.foundIn(recorder.recorded)).toEqual([]);
    }
  });
});
