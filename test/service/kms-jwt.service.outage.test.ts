import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { type KmsJwtEvent } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { forge, newKeyPair } from '../support/forge.js';
import { close, jwt, keyId, localKms, restart, setUp } from './kms-jwt.service.support.js';

beforeEach(() => setUp());
afterEach(() => close());

describe('calls of KMS', () => {
  test('200 concurrent calls of sign on a cold service make 1 GetPublicKey and 200 Sign calls; 10,000 calls of verify make none', async () => {
    localKms.resetCalls();
    await restart({ lazy: true });
    expect(localKms.calls.GetPublicKey).toBe(0);

    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, index) => jwt.sign({ sub: `user-${index}` })),
    );
    expect(localKms.calls).toMatchObject({ GetPublicKey: 1, Sign: 200 });
    expect(new Set(tokens).size).toBe(200);

    localKms.resetCalls();
    for (let round = 0; round < 50; round += 1) await Promise.all(tokens.map((token) => jwt.verify(token)));
    expect(Object.values(localKms.calls).reduce((sum, count) => sum + count)).toBe(0);
  });

  test('a failed first fetch fails all waiting calls, and the next call tries again', async () => {
    await close();
    localKms.inject({ kind: 'throttle', operation: 'GetPublicKey', times: 1 });
    localKms.resetCalls();
    await restart({ lazy: true });
    const first = await Promise.allSettled([
      jwt.sign({}),
      jwt.jwks(),
      jwt.verify(await Promise.resolve(forge({ alg: 'ES256', kid: 'x' }, {}, newKeyPair().privateKey))),
    ]);
    expect(first.map((result) => result.status === 'rejected' && (result.reason as Error).name)).toEqual([
      'KmsUnavailableError',
      'KmsUnavailableError',
      'KmsUnavailableError',
    ]);
    await expect(jwt.sign({})).resolves.toBeTypeOf('string');
    expect(localKms.calls.GetPublicKey).toBe(2);
  });
});

describe('while KMS is unavailable', () => {
  test('sign fails at once, tokens verify, and health and events report it until KMS answers again', async () => {
    const told: KmsJwtEvent['type'][] = [];
    jwt.events.subscribe(({ type }) => told.push(type));
    const token = await jwt.sign({});
    expect(jwt.health().circuit).toBe('closed');

    const outage = localKms.inject({ kind: 'html' });
    for (let call = 0; call < 100; call += 1) {
      await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError' });
    }
    expect(outage.count).toBe(10);
    expect(jwt.health()).toMatchObject({ circuit: 'open', keys: [keyId()] });
    await expect(jwt.verify(token)).resolves.toBeTypeOf('object');

    outage.stop();
    const later = performance.now() + 1000;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
    await jwt.sign({});
    clock.mockRestore();
    expect(jwt.health().circuit).toBe('closed');
    expect(told).toEqual(['circuit_opened', 'circuit_closed']);
  });

  test('calls beyond maxConcurrency and maxQueue fail at once', async () => {
    await restart({ limits: { maxConcurrency: 1, maxQueue: 0 } });
    const held = localKms.inject({ kind: 'hang' });
    const first = jwt.sign({});
    await vi.waitFor(() => expect(held.count).toBe(1));
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'overloaded' });
    held.stop();
    await first;
  });
});

describe('one deadline covers sign', () => {
  test('even if the key has to be fetched first', async () => {
    await restart({ lazy: true, limits: { timeout: 400 } });
    localKms.inject({ kind: 'delay', milliseconds: 300 });
    const started = performance.now();
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'timeout' });
    expect(performance.now() - started).toBeLessThan(550);
  });

  test('even if the alias has moved and two signatures are needed', async () => {
    await restart({ requestAlias: true, limits: { timeout: 400 } });
    const move = new UpdateAliasCommand({
      AliasName: 'alias/auth',
      TargetKeyId: localKms.keys[1]?.keyId ?? '',
    });
    await localKms.client().send(move);
    localKms.inject({ kind: 'delay', milliseconds: 300 });
    const started = performance.now();
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'timeout' });
    expect(performance.now() - started).toBeLessThan(550);
  });
});

describe('at shutdown', () => {
  test('signatures in progress are completed, new calls are refused, and tokens still verify', async () => {
    let completed = false;
    jwt.events.subscribe({ complete: () => (completed = true) });
    const held = localKms.inject({ kind: 'hang' });
    const signing = jwt.sign({ sub: 'user-42' });
    await vi.waitFor(() => expect(held.count).toBe(1));
    const closed = jwt.onApplicationShutdown();
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'shutdown' });

    held.stop();
    const token = await signing;
    await closed;
    expect(await jwt.verify(token)).toMatchObject({ sub: 'user-42' });
    expect(completed).toBe(true);
  });

  test('sign() and jwks() calls that wait for the key are completed', async () => {
    await restart({ lazy: true });
    const held = localKms.inject({ kind: 'hang', operation: 'GetPublicKey' });
    const signing = jwt.sign({ sub: 'user-42' });
    const jwks = jwt.jwks();
    await vi.waitFor(() => expect(held.count).toBe(1));
    const closed = jwt.onApplicationShutdown();
    held.stop();
    const token = await signing;
    expect((await jwks).keys).toHaveLength(1);
    await closed;
    expect(await jwt.verify(token)).toMatchObject({ sub: 'user-42' });
  });

  test('a service without its key refuses with the reason shutdown', async () => {
    await restart({ lazy: true });
    await close();
    await expect(jwt.jwks()).rejects.toMatchObject({ reason: 'shutdown' });
    await expect(jwt.sign({})).rejects.toMatchObject({ reason: 'shutdown' });
  });
});
