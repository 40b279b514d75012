import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { appClient } from '../../src/kms/kms-clients.js';
import type { KmsVerifyRequest } from '../../src/kms/kms-gateway.js';
import { MultiRegionGateway } from '../../src/kms/multi-region-gateway.js';
import { SingleRegionGateway } from '../../src/kms/single-region-gateway.js';
import { LIMITS } from './support.js';
import { forged, signedRequest } from './verify.support.js';

const KEY_ID = `mrk-${'0'.repeat(31)}1`;
const TIMEOUT = 300;

let first: LocalKms;
let second: LocalKms;
let gateway: MultiRegionGateway;
let valid: KmsVerifyRequest;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'regions-'));
  const keys = [{ keyId: KEY_ID }];
  const file = join(folder, 'keys.json');
  first = new LocalKms({ region: 'eu-central-1', keys, file });
  second = new LocalKms({ region: 'eu-west-1', keys, file });
  const gatewayOf = (kms: LocalKms) =>
    new SingleRegionGateway(appClient(kms.client({ maxAttempts: 1 })), { ...LIMITS, timeout: TIMEOUT });
  const gateways = new Map([
    ['eu-central-1', gatewayOf(first)],
    ['eu-west-1', gatewayOf(second)],
  ]);
  gateway = new MultiRegionGateway(gateways, TIMEOUT);
  onTestFinished(async () => {
    await gateway.close();
    await rm(folder, { recursive: true });
  });
  valid = await signedRequest(gateway, KEY_ID);
});

const calls = () => [first.calls.Verify, second.calls.Verify];

test('the first Region verifies', async () => {
  await gateway.verify(valid);
  expect(calls()).toEqual([1, 0]);
});

describe('when the first Region is unavailable', () => {
  test.each<[string, LocalKmsFault]>([
    ['silent', { kind: 'hang', operation: 'Verify' }],
    ['cut off', { kind: 'drop', operation: 'Verify' }],
    ['throttling', { kind: 'throttle', operation: 'Verify' }],
  ])('(%s) the next one verifies with its replica, within one time limit', async (_, fault) => {
    first.inject(fault);
    const started = performance.now();
    await gateway.verify(valid);
    await expect(gateway.verify(forged(valid))).rejects.toMatchObject({ name: 'TokenSignatureError' });
    expect(performance.now() - started).toBeLessThan(1.5 * TIMEOUT);
    expect(calls()).toEqual([1, 2]);
  });
});

test('a Region whose Verify fails still signs first', async () => {
  first.inject({ kind: 'drop', operation: 'Verify' });
  await gateway.verify(valid);
  expect((await signedRequest(gateway, KEY_ID)).keyId).toContain('eu-central-1');
});

test('a Region whose Sign fails still verifies first', async () => {
  first.inject({ kind: 'drop', operation: 'Sign' });
  expect((await signedRequest(gateway, KEY_ID)).keyId).toContain('eu-west-1');
  await gateway.verify(valid);
  expect(calls()).toEqual([1, 0]);
});

test('when all Regions are unavailable, verify fails within one time limit', async () => {
  for (const kms of [first, second]) kms.inject({ kind: 'hang', operation: 'Verify' });
  const started = performance.now();
  await expect(gateway.verify(valid)).rejects.toMatchObject({ reason: 'timeout' });
  expect(performance.now() - started).toBeLessThan(1.5 * TIMEOUT);
});

test('the circuit of Verify is open when those of all Regions are open', async () => {
  first.inject({ kind: 'drop', operation: 'Verify' });
  second.inject({ kind: 'drop', operation: 'Verify', times: 9 });
  for (let call = 0; call < 9; call += 1) await gateway.verify(valid).catch(() => {});
  expect(gateway.verifyCircuit).toBe('closed');
  second.inject({ kind: 'drop', operation: 'Verify' });
  for (let call = 0; call < 10; call += 1) await gateway.verify(valid).catch(() => {});
  expect([gateway.circuit, gateway.verifyCircuit]).toEqual(['closed', 'open']);
});

test.each([
  ['an invalid signature', 'KMSInvalidSignatureException', 'TokenSignatureError'],
  ['a disabled key', 'DisabledException', 'TokenKeyDisabledError'],
  ['a missing permission', 'AccessDeniedException', 'KmsAccessDeniedError'],
])('%s is not tried in the next Region', async (_, name, expected) => {
  first.inject({ kind: 'error', name, operation: 'Verify' });
  await expect(gateway.verify(valid)).rejects.toMatchObject({ name: expected });
  expect(calls()).toEqual([1, 0]);
});
