import { inspect } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { TokenError } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { forge, newKeyPair } from '../support/forge.js';
import { close, jwt, keyId, localKms, partsOf, restart, setUp } from './kms-jwt.service.support.js';

beforeEach(() => setUp());
afterEach(() => close());

describe('verify', () => {
  test('returns the claims', async () => {
    const token = await jwt.sign({ sub: 'user-42', scope: 'orders:read' }, { expiresIn: 60 });
    const iat = expect.any(Number);
    expect(await jwt.verify(token)).toEqual({ sub: 'user-42', scope: 'orders:read', iat, exp: iat });
  });

  test('returns a separate copy of the claims to each caller', async () => {
    const token = await jwt.sign({ roles: ['user'] });
    const claims = await jwt.verify<{ roles: string[] }>(token);
    claims.roles.push('admin');
    expect(await jwt.verify(token)).toMatchObject({ roles: ['user'] });
  });

  test('returns header, payload and signature with complete', async () => {
    const token = await jwt.sign({ sub: 'user-42' });
    const { header, payload, signature } = await jwt.verify(token, { complete: true });
    expect(header).toEqual({ alg: 'ES256', typ: 'JWT', kid: keyId() });
    expect(payload).toMatchObject({ sub: 'user-42' });
    expect(signature).toBe(partsOf(token)[2]);
  });

  test('uses clockTimestamp as the time, if given', async () => {
    const token = await jwt.sign({ iat: 1000 }, { expiresIn: 60, notBefore: 10 });
    await expect(jwt.verify(token, { clockTimestamp: 1010 })).resolves.toBeDefined();
    await expect(jwt.verify(token, { clockTimestamp: 1009 })).rejects.toMatchObject({
      name: 'TokenNotActiveError',
    });
    await expect(jwt.verify(token, { clockTimestamp: 1060 })).rejects.toMatchObject({
      name: 'TokenExpiredError',
    });
    await expect(jwt.verify(token)).rejects.toMatchObject({ expiredAt: new Date(1_060_000) });
  });

  test('expects the issuer and the audience of signOptions', async () => {
    await restart({ signOptions: { issuer: 'auth', audience: 'orders' } });
    await expect(jwt.verify(await jwt.sign({}))).resolves.toBeDefined();
    await expect(jwt.verify(await jwt.sign({}, { audience: 'bills' }))).rejects.toMatchObject({
      claim: 'aud',
    });
    await expect(jwt.verify(await jwt.sign({}, { issuer: 'else' }))).rejects.toMatchObject({ claim: 'iss' });
    await expect(
      jwt.verify(await jwt.sign({}, { audience: 'bills' }), { audience: 'bills' }),
    ).resolves.toBeDefined();
  });

  test('refuses a token without aud or iss if audience or issuer is set', async () => {
    const token = await jwt.sign({});
    await expect(jwt.verify(token, { audience: 'orders' })).rejects.toMatchObject({ claim: 'aud' });
    await expect(jwt.verify(token, { issuer: /./ })).rejects.toMatchObject({ claim: 'iss' });
  });

  test('distinguishes tokens by typ (RFC 8725, section 3.11)', async () => {
    const accessToken = await jwt.sign({}, { header: { typ: 'at+jwt' } });
    await expect(jwt.verify(accessToken)).rejects.toMatchObject({ name: 'TokenMalformedError' });
    await expect(jwt.verify(accessToken, { typ: 'AT+JWT' })).resolves.toBeDefined();
    await expect(jwt.verify(accessToken, { typ: 'application/at+jwt' })).resolves.toBeDefined();
    await expect(jwt.verify(await jwt.sign({}), { typ: 'at+jwt' })).rejects.toMatchObject({
      name: 'TokenMalformedError',
    });
  });

  test('makes no KMS call', async () => {
    const token = await jwt.sign({});
    localKms.resetCalls();
    localKms.inject({ kind: 'drop' });
    await jwt.verify(token);
    expect(Object.values(localKms.calls).every((count) => count === 0)).toBe(true);
  });

  test('refuses wrong options', async () => {
    await expect(jwt.verify(await jwt.sign({}), { audience: undefined })).rejects.toMatchObject({
      option: 'audience',
    });
    await expect(jwt.verify(await jwt.sign({}), { algorithms: ['none'] } as never)).rejects.toMatchObject({
      option: 'algorithms',
    });
  });
});

test('a key-bound token is signed and decoded, but not accepted as a bearer token', async () => {
  const cnf = { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' };
  const token = await jwt.sign({ cnf });
  expect(jwt.decode(token)).toMatchObject({ cnf });
  await expect(jwt.verify(token)).rejects.toMatchObject({
    name: 'TokenClaimError',
    claim: 'cnf',
    message: expect.stringContaining('proof of possession is not supported'),
  });
});

describe('verify with a schema', () => {
  const schema = z.object({ sub: z.string(), scope: z.string().transform((scope) => scope.split(' ')) });

  test('returns the output of the schema', async () => {
    const claims = await jwt.verify(await jwt.sign({ sub: 's', scope: 'a b', extra: 1 }), { schema });
    expect(claims).toEqual({ sub: 's', scope: ['a', 'b'] });
    expect(claims.scope[0]?.toUpperCase()).toBe('A');
  });

  test('names the claim that does not match, and not its value', async () => {
    const error = await jwt
      .verify(await jwt.sign({ sub: 's', scope: 4711 }), { schema })
      .catch((thrown: Error) => thrown);
    expect(error).toMatchObject({
      name: 'TokenClaimError',
      claim: 'scope',
      message: expect.not.stringContaining('4711'),
    });
  });

  test.each<[string, () => unknown]>([
    ['throws', () => JSON.parse('"4711') as unknown],
    ['resolves to undefined', async () => undefined],
    ['returns undefined', () => undefined],
    ['names no claim', () => ({ issues: [{ message: '4711', path: [null] }] })],
    ['names an unknown claim', () => ({ issues: [{ message: '4711', path: ['4711\r\nX: 1'] }] })],
  ])('refuses the token when the schema %s, without quoting it', async (_, validate) => {
    const odd = { '~standard': { version: 1, vendor: 'test', validate } } as StandardSchemaV1;
    const error = await jwt.verify(await jwt.sign({}), { schema: odd }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ name: 'TokenClaimError', claim: '(all)' });
    expect(inspect(error, { depth: null })).not.toContain('4711');
  });

  test('fails with schema_unavailable when the schema rejects, without quoting it', async () => {
    const rejecting: StandardSchemaV1 = {
      '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('4711')) },
    };
    const error = await jwt
      .verify(await jwt.sign({}), { schema: rejecting })
      .catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ name: 'SchemaUnavailableError', retryable: true });
    expect(inspect(error, { depth: null })).not.toContain('4711');
  });

  test('does not run the schema before the signature has been verified', async () => {
    let asked = 0;
    const counting = z.object({}).refine(() => (asked += 1));
    await expect(
      jwt.verify(forge({ alg: 'ES256', kid: keyId() }, {}, newKeyPair().privateKey), { schema: counting }),
    ).rejects.toThrow(TokenError);
    expect(asked).toBe(0);
  });
});

describe('decode', () => {
  test('reads the claims, and all parts with complete, of any issuer', () => {
    const token = forge({ alg: 'none' }, { sub: 'anybody' }, newKeyPair().privateKey);
    expect(jwt.decode(token)).toEqual({ sub: 'anybody' });
    expect(jwt.decode(token, { complete: true })).toEqual({
      header: { alg: 'none' },
      payload: { sub: 'anybody' },
      signature: partsOf(token)[2],
    });
  });

  test('refuses unknown options', () => {
    expect(() => jwt.decode('a.b.c', { compleet: true } as never)).toThrow(
      expect.objectContaining({ option: 'compleet' }),
    );
  });

  test('throws TokenMalformedError for a string that is not a token', () => {
    expect(() => jwt.decode('nonsense')).toThrow(expect.objectContaining({ name: 'TokenMalformedError' }));
  });
});
