import { inspect } from 'node:util';
import { DisableKeyCommand, type KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { appClient } from '../../src/kms/kms-clients.js';
import type { KmsVerifyRequest } from '../../src/kms/kms-gateway.js';
import { type OperationEvent, SingleRegionGateway } from '../../src/kms/single-region-gateway.js';
import { LIMITS, request } from './support.js';
import { clientOfServer, forged, signedRequest } from './verify.support.js';

let localKms: LocalKms;
let client: KMSClient;
let gateway: SingleRegionGateway;
let valid: KmsVerifyRequest;
let events: OperationEvent[];

beforeEach(async () => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  client = localKms.client({ maxAttempts: 1 });
  await limitTo({});
});
afterEach(() => client.destroy());

async function limitTo(limits: Partial<typeof LIMITS>): Promise<void> {
  events = [];
  gateway = new SingleRegionGateway(appClient(client), { ...LIMITS, ...limits }, (event) =>
    events.push(event),
  );
  valid = await signedRequest(gateway);
}

describe('verify', () => {
  test('resolves if KMS says that the signature is valid, in one call', async () => {
    await gateway.verify(valid);
    expect(localKms.calls.Verify).toBe(1);
  });

  test('sends the message itself with RAW', async () => {
    const raw = {
      ...request,
      keyId: valid.keyId,
      messageType: 'RAW',
      message: Buffer.from('input'),
    } as const;
    const { signature } = await gateway.sign(raw);
    await gateway.verify({ ...raw, signature });
    // The same message, given as a digest.
    await gateway.verify({ ...valid, signature });
  });

  test('refuses a signature that KMS says is invalid', async () => {
    await expect(gateway.verify(forged(valid))).rejects.toMatchObject({
      name: 'TokenSignatureError',
      message: 'KMS does not accept the signature of the token',
      cause: { name: 'KMSInvalidSignatureException' },
    });
  });

  test('refuses a token on SignatureValid: false, as emulators such as moto answer', async () => {
    const body = { KeyId: valid.keyId, SignatureValid: false, SigningAlgorithm: 'ECDSA_SHA_256' };
    const emulated = new SingleRegionGateway(appClient(await clientOfServer(200, body)), LIMITS);
    await expect(emulated.verify(valid)).rejects.toMatchObject({ name: 'TokenSignatureError' });
  });

  test.each([
    ['nothing', {}],
    ['SignatureValid as a string', { KeyId: 'auth', SignatureValid: 'true' }],
    ['SignatureValid without KeyId', { SignatureValid: true }],
    ['SignatureValid with another KeyId', { KeyId: 'arn:aws:kms:us-east-1:1:key/2', SignatureValid: true }],
    ['an HTML page', '<html>Sign in</html>'],
  ])('fails on %s, even with the status 200', async (_, body) => {
    const strange = new SingleRegionGateway(appClient(await clientOfServer(200, body)), LIMITS);
    await expect(strange.verify(valid)).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'failure',
    });
  });

  test('accepts a bare key id, as emulators return it', async () => {
    const body = { KeyId: localKms.keys[0]?.keyId, SignatureValid: true };
    const emulated = new SingleRegionGateway(appClient(await clientOfServer(200, body)), LIMITS);
    await expect(emulated.verify(valid)).resolves.toBeUndefined();
  });

  test.each([
    ['disabled', (KeyId: string) => new DisableKeyCommand({ KeyId }), 'DisabledException'],
    [
      'pending deletion',
      (KeyId: string) => new ScheduleKeyDeletionCommand({ KeyId }),
      'KMSInvalidStateException',
    ],
  ])('refuses the token of a key that is %s', async (_, command, name) => {
    await client.send(command(valid.keyId));
    await expect(gateway.verify(valid)).rejects.toMatchObject({
      name: 'TokenKeyDisabledError',
      code: 'token_key_disabled',
      cause: { name, message: 'Omitted, as it may quote the request' },
    });
  });

  test('quotes neither message nor signature in an error', async () => {
    localKms.inject({ kind: 'error', name: 'AccessDeniedException', message: 'hush', operation: 'Verify' });
    const error: unknown = await gateway.verify(valid).catch((thrown: unknown) => thrown);
    const shown = inspect(error, { depth: null, showHidden: true });
    const secrets = ['hush', ...[valid.message, valid.signature].map((bytes) => base64(bytes))];
    for (const secret of secrets) expect(shown).not.toContain(secret);
  });
});

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const OUTAGES: [string, LocalKmsFault, object][] = [
  ['throttles', { kind: 'throttle', operation: 'Verify' }, { reason: 'throttled' }],
  ['does not answer', { kind: 'hang', operation: 'Verify' }, { reason: 'timeout' }],
  ['is too slow', { kind: 'delay', milliseconds: 5000, operation: 'Verify' }, { reason: 'timeout' }],
  ['resets the connection', { kind: 'drop', operation: 'Verify' }, { reason: 'network' }],
  ['is replaced by a proxy’s HTML page', { kind: 'html', operation: 'Verify' }, { reason: 'failure' }],
  [
    'fails',
    { kind: 'error', name: 'KMSInternalException', status: 500, operation: 'Verify' },
    { reason: 'failure' },
  ],
];

describe.each(OUTAGES)('a KMS that %s', (_, fault, expected) => {
  // Long enough for a busy machine: time in which this process is blocked does not count as an outage.
  beforeEach(() => limitTo({ timeout: 500 }));

  test('makes verify fail as unavailable, in bounded time', async () => {
    localKms.inject(fault);
    const started = performance.now();
    await expect(gateway.verify(valid)).rejects.toMatchObject({ name: 'KmsUnavailableError', ...expected });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('opens the circuit of Verify, and not that of Sign', async () => {
    const outage = localKms.inject(fault);
    await Promise.all(Array.from({ length: 10 }, () => gateway.verify(valid).catch(() => {})));
    await expect(gateway.verify(valid)).rejects.toMatchObject({ reason: 'circuit_open' });
    expect(outage.count).toBe(10);
    expect(events).toMatchObject([{ type: 'circuit_opened', operation: 'Verify', error: expected }]);
    expect([gateway.circuit, gateway.verifyCircuit]).toEqual(['closed', 'open']);
    await expect(gateway.sign(request)).resolves.toBeDefined();
  });
});

test.each<[string, object]>([
  ['AccessDeniedException', { name: 'KmsAccessDeniedError', message: /allow kms:Verify on the key/ }],
  ['ExpiredTokenException', { name: 'KmsAccessDeniedError' }],
  ['NotFoundException', { name: 'KmsKeyError' }],
  ['InvalidKeyUsageException', { name: 'KmsKeyError' }],
  ['DisabledException', { name: 'TokenKeyDisabledError' }],
  ['KMSInvalidSignatureException', { name: 'TokenSignatureError' }],
])('the circuit stays closed after %s, which is an answer', async (name, expected) => {
  const answered = localKms.inject({ kind: 'error', name, operation: 'Verify' });
  for (let call = 0; call < 20; call += 1) {
    const error: unknown = await gateway.verify(valid).catch((thrown: unknown) => thrown);
    const { message, ...properties } = expected as { message?: RegExp };
    expect(error).toMatchObject(properties);
    if (message) expect((error as Error).message).toMatch(message);
  }
  expect(answered.count).toBe(20);
  expect(events).toEqual([]);
  expect(gateway.verifyCircuit).toBe('closed');
});

test('an outage of Sign does not open the circuit of Verify', async () => {
  localKms.inject({ kind: 'html', operation: 'Sign' });
  for (let call = 0; call < 11; call += 1) await gateway.sign(request).catch(() => {});
  expect([gateway.circuit, gateway.verifyCircuit]).toEqual(['open', 'closed']);
  await expect(gateway.verify(valid)).resolves.toBeUndefined();
});

test('unanswered calls of Verify use no slots of Sign, and have the same limits', async () => {
  await limitTo({ maxConcurrency: 2, maxQueue: 1 });
  const held = localKms.inject({ kind: 'hang', operation: 'Verify' });
  const verifying = Array.from({ length: 3 }, () => gateway.verify(valid));
  await expect(gateway.verify(valid)).rejects.toMatchObject({ reason: 'overloaded' });
  await vi.waitFor(() => expect(held.count).toBe(2));
  await Promise.all(Array.from({ length: 3 }, () => gateway.sign(request)));
  held.stop();
  await Promise.all(verifying);
});

test('after close, verify makes no call, and calls in flight are completed', async () => {
  const held = localKms.inject({ kind: 'hang', operation: 'Verify' });
  const verifying = gateway.verify(valid);
  const closed = gateway.close();
  await expect(gateway.verify(valid)).rejects.toMatchObject({ reason: 'shutdown' });
  held.stop();
  await Promise.all([verifying, closed]);
  expect(localKms.calls.Verify).toBe(1);
});
