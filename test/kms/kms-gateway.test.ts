import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { KMSClient } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { KmsSignatureError, KmsUnavailableError } from '../../src/errors/errors.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import type { CircuitEvent } from '../../src/kms/circuit.js';
import { KmsGateway, type KmsSignRequest } from '../../src/kms/kms-gateway.js';

const request: KmsSignRequest = {
  keyId: 'alias/auth',
  algorithm: ES256,
  messageType: 'DIGEST',
  message: createHash('sha256').update('input').digest(),
};

let localKms: LocalKms;
let client: KMSClient;

beforeEach(() => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  client = localKms.client({ maxAttempts: 1 });
});
afterEach(() => client.destroy());

const LIMITS = { timeout: 3000, maxConcurrency: 50, maxQueue: 1000 };
const gateway = (timeout = 3000) => new KmsGateway(client, true, { ...LIMITS, timeout });

test('getPublicKey gives the ARN, the key and what it is for', async () => {
  expect(await gateway().getPublicKey('alias/auth')).toEqual({
    keyArn: localKms.keys[0]?.arn,
    spki: expect.any(Uint8Array),
    keySpec: 'ECC_NIST_P256',
    keyUsage: 'SIGN_VERIFY',
  });
});

test('sign gives the ARN of the key that signed, and DER', async () => {
  const { keyArn, der } = await gateway().sign(request);
  expect(keyArn).toBe(localKms.keys[0]?.arn);
  expect(der[0]).toBe(0x30);
});

describe("the SDK's errors, told apart by name", () => {
  test.each<[string, LocalKmsFault, object]>([
    [
      'throttling',
      { kind: 'throttle' },
      { name: 'KmsUnavailableError', reason: 'throttled', retryable: true },
    ],
    [
      'a failure inside KMS',
      { kind: 'error', name: 'KMSInternalException', status: 500 },
      { name: 'KmsUnavailableError', reason: 'failure' },
    ],
    [
      'a key store that is away',
      { kind: 'error', name: 'KeyUnavailableException', status: 500 },
      { name: 'KmsUnavailableError', reason: 'failure' },
    ],
    ['a proxy’s HTML 503', { kind: 'html' }, { name: 'KmsUnavailableError', reason: 'failure' }],
    ['a reset connection', { kind: 'drop' }, { name: 'KmsUnavailableError', reason: 'network' }],
    [
      'a missing permission',
      { kind: 'error', name: 'AccessDeniedException' },
      { name: 'KmsAccessDeniedError', retryable: false },
    ],
    [
      'expired credentials',
      { kind: 'error', name: 'ExpiredTokenException' },
      { name: 'KmsAccessDeniedError' },
    ],
    [
      'unknown credentials',
      { kind: 'error', name: 'UnrecognizedClientException' },
      { name: 'KmsAccessDeniedError' },
    ],
    [
      'a disabled key',
      { kind: 'error', name: 'DisabledException' },
      { name: 'KmsKeyError', retryable: false },
    ],
    [
      'a key whose deletion is pending',
      { kind: 'error', name: 'KMSInvalidStateException' },
      { name: 'KmsKeyError' },
    ],
    ['a key that is not there', { kind: 'error', name: 'NotFoundException' }, { name: 'KmsKeyError' }],
    [
      'an exception of tomorrow',
      { kind: 'error', name: 'BrandNewException' },
      { name: 'KmsUnavailableError', reason: 'failure' },
    ],
    ['a 200 without a signature', { kind: 'omitSignature' }, { name: 'KmsSignatureError' }],
  ])('%s', async (_, fault, expected) => {
    localKms.inject(fault);
    await expect(gateway().sign(request)).rejects.toMatchObject(expected);
  });

  test('keep of the cause what quotes nothing, and say what to do', async () => {
    localKms.inject({ kind: 'error', name: 'AccessDeniedException', message: 'User hush is not authorized' });
    const signing = gateway().sign(request);
    await expect(signing).rejects.toMatchObject({
      message:
        "AWS denied Sign with alias/auth (AccessDeniedException): allow kms:Sign on the key in this role's policy and in the key policy",
      cause: {
        name: 'AccessDeniedException',
        message: 'Left out, as it may quote what was sent',
        $fault: 'client',
        $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      },
    });
    const { cause } = (await signing.catch((error: unknown) => error)) as Error;
    expect(cause).toBeInstanceOf(Error);
    expect(cause).not.toHaveProperty('$response');
  });

  test('keep what AWS says of GetPublicKey, which sends no secret', async () => {
    localKms.inject({ kind: 'error', name: 'AccessDeniedException', message: 'User hush is not authorized' });
    await expect(gateway().getPublicKey('alias/auth')).rejects.toMatchObject({
      cause: { name: 'AccessDeniedException', message: 'User hush is not authorized' },
    });
  });

  test('no region and no credentials', async () => {
    const nowhere = new KmsGateway(
      new KMSClient({
        region: async () => {
          throw new Error('Region is missing');
        },
      }),
      true,
      LIMITS,
    );
    await expect(nowhere.getPublicKey('alias/auth')).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option: 'client.region',
    });
    const nobody = localKms.client({
      credentials: async () => {
        throw Object.assign(new Error('Could not load credentials from any providers'), {
          name: 'CredentialsProviderError',
        });
      },
    });
    await expect(new KmsGateway(nobody, true, LIMITS).sign(request)).rejects.toMatchObject({
      name: 'KmsAccessDeniedError',
    });
  });
});

describe('one deadline stands over a call', () => {
  test('that is not answered', async () => {
    localKms.inject({ kind: 'hang' });
    await expect(gateway(30).sign(request)).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'timeout',
    });
  });

  test("and over the SDK's retries and the waits between them", async () => {
    client = localKms.client();
    const throttled = localKms.inject({ kind: 'throttle' });
    const start = performance.now();
    await expect(gateway(60).sign(request)).rejects.toBeInstanceOf(KmsUnavailableError);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(throttled.count).toBeGreaterThan(0);
  });

  test('and over credentials that do not come', async () => {
    client = localKms.client({ credentials: () => new Promise(() => {}) });
    await expect(gateway(30).sign(request)).rejects.toMatchObject({ reason: 'timeout' });
  });

  test('and is gone with the answer', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    await gateway(60_000).sign(request);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(before);
  });
});

describe('a signal', () => {
  test('that aborts ends the call at once, with its reason', async () => {
    localKms.inject({ kind: 'hang' });
    const controller = new AbortController();
    const signing = gateway().sign({ ...request, signal: controller.signal });
    controller.abort(new Error('the client has gone'));
    await expect(signing).rejects.toThrow('the client has gone');
  });

  test('that aborted before makes no call', async () => {
    await expect(gateway().sign({ ...request, signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(localKms.calls.Sign).toBe(0);
  });
});

test("the SDK's retries bring a call over two throttled answers, and none is added to them", async () => {
  client = localKms.client();
  localKms.inject({ kind: 'error', name: 'KMSInternalException', status: 500, times: 2 });
  await gateway().sign(request);
  expect(localKms.calls.Sign).toBe(3);

  localKms.resetCalls();
  localKms.inject({ kind: 'error', name: 'KMSInternalException', status: 500 });
  await expect(gateway().sign(request)).rejects.toBeInstanceOf(KmsUnavailableError);
  expect(localKms.calls.Sign).toBe(3);
});

test('an answer without a key is a failure of KMS, one without a signature a bad signature', async () => {
  localKms.inject({ kind: 'omitSignature' });
  await expect(gateway().sign(request)).rejects.toBeInstanceOf(KmsSignatureError);
});

describe('at a limit', () => {
  test('so many calls are under way at a time, so many wait, and the next is refused at once', async () => {
    const limited = new KmsGateway(client, true, { timeout: 3000, maxConcurrency: 2, maxQueue: 3 });
    const held = localKms.inject({ kind: 'hang' });
    const calls = Array.from({ length: 5 }, () => limited.sign(request));
    await expect(limited.sign(request)).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'overloaded',
      retryable: true,
      message: 'No call of KMS was made: 2 calls are under way and 3 wait',
    });
    await vi.waitFor(() => expect(held.count).toBe(2));
    held.stop();
    await Promise.all(calls);
    expect(localKms.calls.Sign).toBe(5);
  });

  test('whoever waits for a turn waits for half of the deadline, and never calls', async () => {
    const limited = new KmsGateway(client, true, { timeout: 3000, maxConcurrency: 1, maxQueue: 10 });
    const held = localKms.inject({ kind: 'hang' });
    const first = limited.sign(request);
    await expect(limited.sign({ ...request, timeout: 30 })).rejects.toMatchObject({
      reason: 'overloaded',
      message: expect.stringContaining('15 ms') as string,
    });
    held.stop();
    await first;
    await limited.sign(request);
    expect(localKms.calls.Sign).toBe(2);
  });

  test('a signal ends the wait for a turn at once', async () => {
    const limited = new KmsGateway(client, true, { timeout: 3000, maxConcurrency: 1, maxQueue: 10 });
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

const answering = (output: object) =>
  ({ send: async () => output, destroy: () => {} }) as unknown as KMSClient;

describe('an answer that is none', () => {
  const good = { KeyId: 'arn:aws:kms:us-east-1:1:key/1', Signature: new Uint8Array(70) };

  test.each([
    ['a signature that is a number', { ...good, Signature: 5 }],
    ['a signature that is a text', { ...good, Signature: 'MEQ' }],
    ['a signature that is an array', { ...good, Signature: [1] }],
    ['a key that is a number', { ...good, KeyId: 5 }],
    ['a key that is an object', { ...good, KeyId: {} }],
    ['a key of two lines, for the log', { ...good, KeyId: 'a\nERROR b' }],
    ['a key of 3 MB', { ...good, KeyId: 'a'.repeat(3e6) }],
  ])('%s is refused as a signature', async (_, output) => {
    await expect(new KmsGateway(answering(output), false, LIMITS).sign(request)).rejects.toThrow(
      new KmsSignatureError('KMS answered Sign with alias/auth without a signature'),
    );
  });

  test.each([
    ['a key that is an object', { KeyId: {}, PublicKey: new Uint8Array(91) }],
    ['a public key that is a text', { KeyId: 'k', PublicKey: 'MFk' }],
  ])('%s is no key', async (_, output) => {
    const asking = new KmsGateway(answering(output), false, LIMITS).getPublicKey('alias/auth');
    await expect(asking).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'failure' });
  });

  test.each([
    ['a page of HTML', '<html>Sign in</html>'],
    ['a signature that is no base64', '{"KeyId":"k","Signature":"!!!"}'],
  ])('%s with the status 200 is refused as a signature', async (_, body) => {
    const server = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
    client = new KMSClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials });
    await expect(gateway().sign(request)).rejects.toBeInstanceOf(KmsSignatureError);
  });

  test('what an answer has for a code is none of Node’s, and goes nowhere', async () => {
    const told = Object.assign(new Error('no'), { name: 'StrangeException', code: 'ey\nJh'.repeat(1000) });
    const failing = { send: () => Promise.reject(told), destroy: () => {} } as unknown as KMSClient;
    const error: unknown = await new KmsGateway(failing, false, LIMITS)
      .sign(request)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'failure' });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('Jh');
  });

  test('the name of an error is cut, and is one line of the log', async () => {
    const name = `Strange\nException${'x'.repeat(1000)}`;
    localKms.inject({ kind: 'error', name });
    const { message, cause } = (await gateway()
      .sign(request)
      .catch((error: unknown) => error)) as Error;
    for (const text of [message, (cause as Error).name]) {
      expect(text).not.toContain('\n');
      expect(text.length).toBeLessThan(400);
    }
  });
});

test('a call goes on though its caller has left: only its end tells how KMS is', async () => {
  const one = gateway(200);
  const silent = localKms.inject({ kind: 'hang' });
  const calls = Array.from({ length: 10 }, () => one.sign({ ...request, signal: AbortSignal.timeout(5) }));
  const outcomes = await Promise.allSettled(calls);
  const reasons = outcomes.map((outcome) => 'reason' in outcome && (outcome.reason as Error).name);
  expect(new Set(reasons)).toEqual(new Set(['TimeoutError']));
  expect(one.circuit).toBe('closed');
  await vi.waitFor(() => expect(one.circuit).toBe('open'));
  expect(silent.count).toBe(10);
});

describe('the circuit', () => {
  test('opens when KMS is away: no call is made, and whoever watches is told once', async () => {
    const events: CircuitEvent[] = [];
    const watched = new KmsGateway(client, true, LIMITS, (event) => events.push(event));
    const away = localKms.inject({ kind: 'html' });
    await signOften(watched);

    expect(away.count).toBe(10);
    expect(watched.circuit).toBe('open');
    expect(events).toMatchObject([{ type: 'circuit_opened', error: { reason: 'failure' } }]);
    await expect(watched.sign(request)).rejects.toMatchObject({ reason: 'circuit_open', retryable: true });
  });

  test.each<[string, LocalKmsFault]>([
    ['a missing permission', { kind: 'error', name: 'AccessDeniedException' }],
    ['a disabled key', { kind: 'error', name: 'DisabledException' }],
    ['a signature that is missing', { kind: 'omitSignature' }],
  ])('stays closed for an answer, such as %s', async (_, fault) => {
    const one = gateway();
    const answered = localKms.inject(fault);
    await signOften(one);
    expect(answered.count).toBe(100);
    expect(one.circuit).toBe('closed');
  });
});

describe('close', () => {
  test('refuses new calls, lets those under way end, then destroys its own client', async () => {
    const order: string[] = [];
    const destroy = client.destroy.bind(client);
    client.destroy = () => {
      order.push('destroyed');
      destroy();
    };
    const closing = gateway();
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

  test('waits no longer than the deadline of what is under way', async () => {
    localKms.inject({ kind: 'hang' });
    const closing = gateway(30);
    const signing = closing.sign(request).catch((error: unknown) => error);
    await closing.close();
    expect(await signing).toMatchObject({ reason: 'timeout' });
  });

  test('leaves a client that was handed in', async () => {
    let destroyed = 0;
    client.destroy = () => void (destroyed += 1);
    await new KmsGateway(client, false, LIMITS).close();
    expect(destroyed).toBe(0);
    await new KmsGateway(client, true, LIMITS).close();
    expect(destroyed).toBe(1);
  });
});
