import { inspect } from 'node:util';
import { DisableKeyCommand, EnableKeyCommand, UpdateAliasCommand } from '@aws-sdk/client-kms';
import { KmsJwtError, type VerifyOptions } from 'nestjs-kms-jwt';
import type { LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { forge, newKeyPair } from '../support/forge.js';
import {
  close,
  headerOf,
  jwt,
  keyArn,
  keyId,
  localKms,
  partsOf,
  restart,
  setUp,
} from './kms-jwt.service.support.js';

const KMS = { verification: 'kms' } as const;

beforeEach(async () => {
  await setUp();
  await restart(KMS);
});
afterEach(async () => {
  vi.useRealTimers();
  await close();
});

const verifyCalls = () => localKms.calls.Verify;
const refusal = (token: string, options?: VerifyOptions) =>
  jwt.verify(token, options).then(
    () => 'accepted',
    (error: unknown) => error,
  );
const disable = (KeyId: string) => localKms.client().send(new DisableKeyCommand({ KeyId }));

describe("with verification: 'kms', Verify is called", () => {
  test('for each of 1,000 tokens, even if they are in the cache', async () => {
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, n) => jwt.sign({ sub: `user-${n}` })));
    for (let round = 0; round < 10; round += 1) {
      const claims = await Promise.all(tokens.map((token) => jwt.verify(token)));
      expect(claims.map(({ sub }) => sub)).toEqual(tokens.map((_, n) => `user-${n}`));
    }
    expect(verifyCalls()).toBe(1000);
    // LocalKms verifies in JavaScript, which takes long.
  }, 60_000);

  test('for each concurrent call with one token', async () => {
    const token = await jwt.sign({});
    await Promise.all(Array.from({ length: 100 }, () => jwt.verify(token)));
    expect(verifyCalls()).toBe(100);
  });

  test('with the client that the module creates', async () => {
    const server = await localKms.listen();
    onTestFinished(() => server.close());
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
    await restart({ ...KMS, client: { endpoint: server.url, region: 'us-east-1', credentials } });
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await jwt.verify(token)).toMatchObject({ sub: 'user-42' });
    expect(verifyCalls()).toBe(1);
    await disable(keyId());
    expect(await refusal(token)).toMatchObject({ name: 'TokenKeyDisabledError' });
  });

  test('if the call has this option, and not if the call has local', async () => {
    const token = await jwt.sign({});
    await jwt.verify(token, { verification: 'local' });
    expect(verifyCalls()).toBe(0);
    await restart();
    await jwt.verify(token);
    expect(verifyCalls()).toBe(0);
    await jwt.verify(token, KMS);
    expect(verifyCalls()).toBe(1);
  });

  test.each(['DIGEST', 'RAW'] as const)('with the same messageType as Sign: %s', async (messageType) => {
    await restart({ ...KMS, messageType });
    expect(await jwt.verify(await jwt.sign({ sub: 'user-42' }))).toMatchObject({ sub: 'user-42' });
    expect(verifyCalls()).toBe(1);
  });

  test('with the ARN of the key, even with requestAlias', async () => {
    await restart({ ...KMS, requestAlias: true });
    const token = await jwt.sign({});
    await localKms
      .client()
      .send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: localKms.keys[1]?.keyId ?? '' }));
    expect(await refusal(token)).toBe('accepted');
  });
});

test('a token that is too long for RAW is an error of the option messageType, as for sign', async () => {
  await restart({ messageType: 'DIGEST' });
  const token = await jwt.sign({ text: 'x'.repeat(4000) });
  await restart({ ...KMS, messageType: 'RAW' });
  expect(await refusal(token)).toMatchObject({ name: 'KmsJwtOptionsError', option: 'messageType' });
  expect(verifyCalls()).toBe(0);
});

describe('a key that is disabled after it signed', () => {
  test('refuses the next token, even a cached one, and verifies again once it is enabled', async () => {
    const token = await jwt.sign({});
    await jwt.verify(token);
    await disable(keyId());
    expect(await refusal(token)).toMatchObject({
      name: 'TokenKeyDisabledError',
      code: 'token_key_disabled',
      retryable: false,
    });
    expect(await refusal(token, { verification: 'local' })).toBe('accepted');
    await localKms.client().send(new EnableKeyCommand({ KeyId: keyId() }));
    expect(await refusal(token)).toBe('accepted');
  });

  test('refuses only its own tokens: an enabled retired key verifies', async () => {
    await restart({ ...KMS, requestAlias: true });
    const old = await jwt.sign({ key: 'old' });
    const TargetKeyId = localKms.keys[1]?.keyId ?? '';
    await localKms.client().send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId }));
    const current = await jwt.sign({ key: 'current' });
    expect(jwt.decode(current, { complete: true }).header.kid).toBe(TargetKeyId);
    expect([await refusal(old), await refusal(current)]).toEqual(['accepted', 'accepted']);

    await disable(keyId());
    expect(await refusal(old)).toMatchObject({ code: 'token_key_disabled' });
    expect(await refusal(current)).toBe('accepted');
  });
});

const changed = (token: string) => {
  const [header, payload, signature] = partsOf(token);
  return `${header}.${payload}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
};

describe('no call is made for', () => {
  const { privateKey } = newKeyPair();

  test.each<[string, () => string | Promise<string>, VerifyOptions]>([
    ['a string that is not a token', () => 'a.b.c', {}],
    ['a forged token', () => forge(headerOf(), {}, privateKey), {}],
    ['a changed token', async () => changed(await jwt.sign({})), {}],
    ['an unknown key', () => forge({ ...headerOf(), kid: 'x' }, {}, privateKey), {}],
    ['another algorithm', () => forge({ ...headerOf(), alg: 'none' }, {}, privateKey), {}],
    ['another typ', () => jwt.sign({}, { header: { typ: 'at+jwt' } }), {}],
    ['an expired token', () => jwt.sign({ exp: 1_700_000_000 }), {}],
    ['a token that is not active yet', () => jwt.sign({}, { notBefore: '1h' }), {}],
    ['another audience', () => jwt.sign({ aud: 'bills' }), { audience: 'orders' }],
    ['a missing claim', () => jwt.sign({}), { requiredClaims: ['jti'] }],
    ['a schema that does not match', () => jwt.sign({}), { schema: refusing() }],
    ['a revoked token', () => jwt.sign({ jti: 'revoked' }), {}],
  ])('%s', async (_, makeToken, options) => {
    await restart({ ...KMS, isRevoked: async ({ jti }) => jti === 'revoked' });
    const token = await makeToken();
    for (let time = 0; time < 2; time += 1) {
      expect(await refusal(token, options)).toMatchObject({
        code: expect.stringMatching(/^token_/) as string,
      });
    }
    expect(verifyCalls()).toBe(0);
  });

  test('a token that expires while isRevoked runs', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await restart({
      ...KMS,
      isRevoked: async () => {
        vi.setSystemTime(Date.now() + 60_000);
        return false;
      },
    });
    expect(await refusal(await jwt.sign({}, { expiresIn: 60 }))).toMatchObject({ name: 'TokenExpiredError' });
    expect(verifyCalls()).toBe(0);
  });
});

const refusing = () => ({
  '~standard': { version: 1 as const, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) },
});

test('a token that expires during the call of Verify is refused', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const token = await jwt.sign({}, { expiresIn: 60 });
  const held = localKms.inject({ kind: 'hang', operation: 'Verify' });
  const verifying = refusal(token);
  await vi.waitFor(() => expect(held.count).toBe(1));
  vi.setSystemTime(Date.now() + 60_000);
  held.stop();
  expect(await verifying).toMatchObject({ name: 'TokenExpiredError' });
});

describe('tokens of a key without an ARN are refused without a call:', () => {
  const { publicKey, privateKey } = newKeyPair();
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'partner' };
  const token = forge({ alg: 'ES256', typ: 'JWT', kid: 'partner' }, {}, privateKey);
  const expected = { name: 'TokenKeyNotInKmsError', code: 'token_key_not_in_kms' };

  test('a JWK in verificationKeys', async () => {
    await restart({ rotation: { verificationKeys: [jwk as never] } });
    expect(await refusal(token)).toBe('accepted');
    expect(await refusal(token, KMS)).toMatchObject(expected);
    expect(verifyCalls()).toBe(0);
  });

  test('a JWK with a member keyArn', async () => {
    await restart({ rotation: { verificationKeys: [{ ...jwk, keyArn: keyArn() } as never] } });
    expect(await refusal(token, KMS)).toMatchObject(expected);
  });

  test('a key of jwks', async () => {
    await restart({ keyId: undefined, client: undefined, jwks: { keys: [jwk] } });
    expect(await refusal(token)).toBe('accepted');
    expect(await refusal(token, KMS)).toMatchObject(expected);
  });

  test('but a key in KMS in verificationKeys verifies', async () => {
    await restart({ keyId: 'alias/other' });
    const ofOther = await jwt.sign({ sub: 'user-42' });
    await restart({ ...KMS, rotation: { verificationKeys: ['alias/other'] } });
    expect(await refusal(ofOther)).toBe('accepted');
    expect(verifyCalls()).toBe(1);
  });
});

describe('while Verify fails', () => {
  test.each<[string, LocalKmsFault, object]>([
    ['throttled', { kind: 'throttle' }, { name: 'KmsUnavailableError', reason: 'throttled' }],
    ['silent', { kind: 'hang' }, { name: 'KmsUnavailableError', reason: 'timeout' }],
    ['slow', { kind: 'delay', milliseconds: 5000 }, { name: 'KmsUnavailableError', reason: 'timeout' }],
    ['cut off', { kind: 'drop' }, { name: 'KmsUnavailableError', reason: 'network' }],
    ['a proxy page', { kind: 'html' }, { name: 'KmsUnavailableError', reason: 'failure' }],
    ['forbidden', { kind: 'error', name: 'AccessDeniedException' }, { name: 'KmsAccessDeniedError' }],
    ['without the key', { kind: 'error', name: 'NotFoundException' }, { name: 'KmsKeyError' }],
  ])(
    '(%s) the call fails in bounded time, and local verification and sign still work',
    async (_, fault, expected) => {
      await restart({ ...KMS, limits: { timeout: 200 } });
      const token = await jwt.sign({ sub: 'user-42' });
      const outage = localKms.inject({ ...fault, operation: 'Verify' } as LocalKmsFault);
      const started = performance.now();
      const error = await refusal(token);
      expect(performance.now() - started).toBeLessThan(1000);
      expect(error).toBeInstanceOf(KmsJwtError);
      expect(error).toMatchObject(expected);
      expect((error as KmsJwtError).code).toMatch(/^kms_/);
      for (const secret of [...partsOf(token), 'user-42']) {
        expect(inspect(error, { depth: null, showHidden: true })).not.toContain(secret);
      }
      expect(await refusal(token, { verification: 'local' })).toBe('accepted');
      await expect(jwt.sign({})).resolves.toBeTypeOf('string');
      outage.stop();
      expect(await refusal(token)).toBe('accepted');
    },
  );

  test('the circuit of Verify opens with an event, and sign still works', async () => {
    const events: unknown[] = [];
    jwt.events.subscribe((event) => events.push(event));
    const token = await jwt.sign({});
    const outage = localKms.inject({ kind: 'drop', operation: 'Verify' });
    for (let call = 0; call < 20; call += 1) await refusal(token);
    expect(outage.count).toBe(10);
    expect(await refusal(token)).toMatchObject({ name: 'KmsUnavailableError', reason: 'circuit_open' });
    expect(events).toMatchObject([{ type: 'circuit_opened', operation: 'Verify' }]);
    expect(jwt.health()).toMatchObject({ circuit: 'closed', verifyCircuit: 'open' });
    await expect(jwt.sign({})).resolves.toBeTypeOf('string');
  });

  test('unanswered calls of Verify use no connections of sign, with the client that the module creates', async () => {
    const server = await localKms.listen();
    onTestFinished(() => server.close());
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
    const client = { endpoint: server.url, region: 'us-east-1', credentials };
    await restart({ ...KMS, client, limits: { timeout: 3000, maxConcurrency: 2, maxQueue: 0 } });
    const token = await jwt.sign({});
    const held = localKms.inject({ kind: 'hang', operation: 'Verify' });
    const verifying = [jwt.verify(token), jwt.verify(token)];
    await vi.waitFor(() => expect(held.count).toBe(2));
    expect(await refusal(token)).toMatchObject({ reason: 'overloaded' });
    await Promise.all([jwt.sign({}), jwt.sign({})]);
    held.stop();
    await Promise.all(verifying);
  });
});

test('after shutdown a token verifies only locally', async () => {
  const token = await jwt.sign({});
  await jwt.onApplicationShutdown();
  expect(await refusal(token)).toMatchObject({ name: 'KmsUnavailableError', reason: 'shutdown' });
  expect(await refusal(token, { verification: 'local' })).toBe('accepted');
});
