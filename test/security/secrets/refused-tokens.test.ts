import { TokenError, type VerifyOptions } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { newCanary } from './secrets.js';
import { setUp } from './support.js';

/** A schema that is told the claims as a text. */
const schemaThat = (refuse: (claims: string) => { issues: { message: string; path?: string[] }[] }) => ({
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (claims: unknown) => refuse(JSON.stringify(claims)),
  },
});

describe('a token that is good, where what is asked of it is', () => {
  test.each<[string, (expected: string) => VerifyOptions]>([
    ['another issuer', (issuer) => ({ issuer })],
    ['another issuer, by expressions', (issuer) => ({ issuer: [issuer, new RegExp(issuer)] })],
    ['another audience', (audience) => ({ audience: [audience, 'nobody'] })],
    ['another subject', (subject) => ({ subject })],
    ['another id', (jwtid) => ({ jwtid })],
    ['another nonce', (nonce) => ({ nonce })],
    ['an age', () => ({ maxAge: '1h' })],
    ['a claim that is missing', () => ({ requiredClaims: ['exp'] })],
    ['another type', (typ) => ({ typ })],
    ['a schema of zod', (sub) => ({ schema: z.object({ sub: z.literal(sub) }) })],
    [
      'a schema that quotes',
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
    const { jwt, token, secrets, call, thrownBy, eavesdropper } = await setUp();
    const expected = newCanary();
    secrets.add('what is expected', expected);
    const verify = expecting(expected);

    expect(await thrownBy(() => jwt.verify(token, verify))).toBeInstanceOf(TokenError);
    expect(await call(token, { verify })).toBe(401);
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
  });

  test('another scope', async () => {
    const { token, secrets, call, eavesdropper } = await setUp();
    expect(await call(token, { path: '/scoped' })).toBe(403);
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
  });

  test('fit for a schema that cannot tell', async () => {
    const { jwt, token, secrets, call, thrownBy, eavesdropper } = await setUp();
    const schema = schemaThat((claims) => Promise.reject(new Error(`SELECT ${claims}`)) as never);
    const verify = { schema };
    expect(await thrownBy(() => jwt.verify(token, verify))).toMatchObject({ code: 'schema_unavailable' });
    expect(await call(token, { verify })).toBe(503);
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
  });

  test('not to be revoked, which cannot be told', async () => {
    const errors = [
      ({ jti }: { jti?: string }) => new Error(`MOVED ${jti}`),
      ({ jti }: { jti?: string }) =>
        Object.assign(new Error('away'), { command: { args: [`revoked:${jti}`] } }),
      ({ jti }: { jti?: string }) => new Error('away', { cause: new Error(`GET revoked:${jti}`) }),
      (claims: object) => JSON.stringify(claims),
    ];
    for (const errorOf of errors) {
      const { jwt, token, secrets, call, thrownBy, eavesdropper } = await setUp({
        isRevoked: (claims) => {
          throw errorOf(claims);
        },
      });
      expect(await thrownBy(() => jwt.verify(token))).toMatchObject({ code: 'revocation_unavailable' });
      expect(await call(token)).toBe(503);
      expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
    }
  });
});
