import type { KMSClient } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KmsUnavailableError } from '../../src/errors/errors.js';
import type { CircuitEvent } from '../../src/kms/circuit.js';
import { Deadline } from '../../src/async/deadline.js';
import { SdkClient } from '../../src/kms/kms-client.js';
import { appClient, OwnClients } from '../../src/kms/kms-clients.js';
import type { KmsGateway } from '../../src/kms/kms-gateway.js';
import { SingleRegionGateway } from '../../src/kms/single-region-gateway.js';
import { LIMITS, request } from './support.js';

let localKms: LocalKms;
let client: KMSClient;

beforeEach(() => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  client = localKms.client({ maxAttempts: 1 });
});
afterEach(() => client.destroy());

const gateway = (timeout = 3000) => new SingleRegionGateway(appClient(client), { ...LIMITS, timeout });
const ownClient = () =>
  new OwnClients(
    () => new SdkClient(client),
    () => 0,
  );

test('getPublicKey returns the ARN, the public key, its spec and its usage', async () => {
  expect(await gateway().getPublicKey('alias/auth')).toEqual({
    keyArn: localKms.keys[0]?.arn,
    spki: expect.any(Uint8Array),
    keySpec: 'ECC_NIST_P256',
    keyUsage: 'SIGN_VERIFY',
  });
});

test('sign returns the ARN of the key that signed, and a DER signature', async () => {
  const { keyArn, signature } = await gateway().sign(request);
  expect(keyArn).toBe(localKms.keys[0]?.arn);
  expect(signature[0]).toBe(0x30);
});

describe('the time limit of a call', () => {
  test('ends a call without an answer', async () => {
    localKms.inject({ kind: 'hang' });
    await expect(gateway(30).sign(request)).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'timeout',
    });
  });

  test("includes the SDK's retries and the waits between them", async () => {
    client = localKms.client();
    const throttled = localKms.inject({ kind: 'throttle' });
    const start = performance.now();
    await expect(gateway(60).sign(request)).rejects.toBeInstanceOf(KmsUnavailableError);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(throttled.count).toBeGreaterThan(0);
  });

  test('includes the wait for credentials', async () => {
    client = localKms.client({ credentials: () => new Promise(() => {}) });
    await expect(gateway(30).sign(request)).rejects.toMatchObject({ reason: 'timeout' });
  });

  test('leaves no timer behind after the answer', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    await gateway(60_000).sign(request);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(before);
  });
});

describe('an aborted signal', () => {
  test('prevents the call', async () => {
    await expect(gateway().sign({ ...request, signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(localKms.calls.Sign).toBe(0);
  });
});

test('two failures are hidden by the retries of the SDK, to which the gateway adds none', async () => {
  client = localKms.client();
  localKms.inject({ kind: 'error', name: 'KMSInternalException', status: 500, times: 2 });
  await gateway().sign(request);
  expect(localKms.calls.Sign).toBe(3);

  localKms.resetCalls();
  localKms.inject({ kind: 'error', name: 'KMSInternalException', status: 500 });
  await expect(gateway().sign(request)).rejects.toBeInstanceOf(KmsUnavailableError);
  expect(localKms.calls.Sign).toBe(3);
});

describe('the concurrency limit', () => {
  test('allows maxConcurrency calls in flight and maxQueue in the queue, and refuses the next one', async () => {
    const limited = new SingleRegionGateway(appClient(client), {
      timeout: 3000,
      maxConcurrency: 2,
      maxQueue: 3,
    });
    const held = localKms.inject({ kind: 'hang' });
    const calls = Array.from({ length: 5 }, () => limited.sign(request));
    await expect(limited.sign(request)).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'overloaded',
      retryable: true,
      message: 'No KMS call was made: maxConcurrency (2) and maxQueue (3) are exhausted',
    });
    await vi.waitFor(() => expect(held.count).toBe(2));
    held.stop();
    await Promise.all(calls);
    expect(localKms.calls.Sign).toBe(5);
  });

  test('ends a wait in the queue after half of the time limit, without a call', async () => {
    const limited = new SingleRegionGateway(appClient(client), {
      timeout: 3000,
      maxConcurrency: 1,
      maxQueue: 10,
    });
    const held = localKms.inject({ kind: 'hang' });
    const first = limited.sign(request);
    const deadline = new Deadline(30);
    await expect(limited.sign({ ...request, deadline })).rejects.toMatchObject({
      reason: 'overloaded',
      message: expect.stringContaining('15 ms') as string,
    });
    deadline.end();
    held.stop();
    await first;
    await limited.sign(request);
    expect(localKms.calls.Sign).toBe(2);
  });

  test('ends a wait in the queue when the signal aborts', async () => {
    const limited = new SingleRegionGateway(appClient(client), {
      timeout: 3000,
      maxConcurrency: 1,
      maxQueue: 10,
    });
    const held = localKms.inject({ kind: 'hang' });
    const first = limited.sign(request);
    const controller = new AbortController();
    const second = limited.sign({ ...request, signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    held.stop();
    await first;
    expect(localKms.calls.Sign).toBe(1);
  });
});

async function signOften(by: KmsGateway): Promise<void> {
  for (let call = 0; call < 100; call += 1) await by.sign(request).catch(() => {});
}

test('a call in flight continues when its signal aborts, and its outcome counts for the circuit', async () => {
  const one = gateway(200);
  const silent = localKms.inject({ kind: 'hang' });
  const calls = Array.from({ length: 10 }, () => one.sign({ ...request, signal: AbortSignal.timeout(5) }));
  const outcomes = await Promise.allSettled(calls);
  const reasons = outcomes.map((outcome) => 'reason' in outcome && (outcome.reason as Error).name);
  expect(new Set(reasons)).toEqual(new Set(['KmsUnavailableError']));
  expect(one.circuit).toBe('open');
  expect(silent.count).toBe(10);
});

describe('the circuit', () => {
  test('opens when KMS is unavailable: no further call is made, and one event is emitted', async () => {
    const events: CircuitEvent[] = [];
    const watched = new SingleRegionGateway(appClient(client), LIMITS, (event) => events.push(event));
    const outage = localKms.inject({ kind: 'html' });
    await signOften(watched);

    expect(outage.count).toBe(10);
    expect(watched.circuit).toBe('open');
    expect(events).toMatchObject([{ type: 'circuit_opened', error: { reason: 'failure' } }]);
    await expect(watched.sign(request)).rejects.toMatchObject({ reason: 'circuit_open', retryable: true });
  });

  test('of Sign stays closed when only GetPublicKey fails', async () => {
    const one = gateway();
    const outage = localKms.inject({ kind: 'html', operation: 'GetPublicKey' });
    for (let call = 0; call < 20; call += 1) await one.getPublicKey('alias/auth').catch(() => {});
    expect(outage.count).toBe(10);
    expect(one.circuit).toBe('closed');
    await expect(one.sign(request)).resolves.toBeDefined();
    await expect(one.getPublicKey('alias/auth')).rejects.toMatchObject({ reason: 'circuit_open' });
  });

  test.each<[string, LocalKmsFault]>([
    ['a missing permission', { kind: 'error', name: 'AccessDeniedException' }],
    ['a disabled key', { kind: 'error', name: 'DisabledException' }],
    ['a missing signature', { kind: 'omitSignature' }],
  ])('stays closed for an answer, such as %s', async (_, fault) => {
    const one = gateway();
    const answered = localKms.inject(fault);
    await signOften(one);
    expect(answered.count).toBe(100);
    expect(one.circuit).toBe('closed');
  });
});

describe('close', () => {
  test('refuses new calls, waits for those in flight, then destroys its own client', async () => {
    const order: string[] = [];
    const destroy = client.destroy.bind(client);
    client.destroy = () => {
      order.push('destroyed');
      destroy();
    };
    const closing = new SingleRegionGateway(ownClient(), LIMITS);
    const held = localKms.inject({ kind: 'hang' });
    const signing = closing.sign(request);
    const closed = closing.close();

    await expect(closing.sign(request)).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'shutdown',
    });
    order.push('answered');
    held.stop();
    await Promise.all([signing, closed]);
    expect(order).toEqual(['answered', 'destroyed']);
  });

  test('waits no longer than the time limit of the calls in flight', async () => {
    localKms.inject({ kind: 'hang' });
    const closing = gateway(30);
    const signing = closing.sign(request).catch((error: unknown) => error);
    await closing.close();
    expect(await signing).toMatchObject({ reason: 'timeout' });
  });

  test('does not destroy the client of the caller', async () => {
    let destroyed = 0;
    client.destroy = () => void (destroyed += 1);
    await new SingleRegionGateway(appClient(client), LIMITS).close();
    expect(destroyed).toBe(0);
    await new SingleRegionGateway(ownClient(), LIMITS).close();
    expect(destroyed).toBe(1);
  });
});
