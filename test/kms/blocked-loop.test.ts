import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as after } from 'node:timers/promises';
import { KMSClient } from '@aws-sdk/client-kms';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KmsGateway } from '../../src/kms/kms-gateway.js';
import { type GatewaySettings, openGateway } from '../../src/kms/open-gateway.js';
import { Kms } from '../faults/kms.js';
import { LIMITS, request } from './support.js';

const signing = { ...request, keyId: 'alias/faults' };
/** A short time limit, and a longer block. */
const SHORT_LIMITS = { ...LIMITS, timeout: 1000 };
const SHORT_BLOCK = 1500;
/** Longer than the time limit and the keep-alive timeout of a server. */
const LONG_BLOCK = 6500;

let folder: string;
/** In a separate process, which answers while the event loop of this one is blocked. */
let kms: Kms;
let events: string[];
let gateway: KmsGateway | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blocked-'));
  kms = new Kms(join(folder, 'keys.json'));
  await kms.start();
});
afterAll(async () => {
  await kms.kill();
  await rm(folder, { recursive: true });
});
beforeEach(() => void (events = []));
afterEach(async () => {
  await gateway?.close();
  await kms.setFault();
});

const config = () => ({
  endpoint: `http://127.0.0.1:${kms.port}`,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});

async function open(
  client: GatewaySettings['client'] = config(),
  regions: string[] = [],
  limits = SHORT_LIMITS,
): Promise<KmsGateway> {
  const settings = { keyId: signing.keyId, client, regions, limits };
  gateway = openGateway(settings, ({ type }) => events.push(type));
  await gateway.sign(signing);
  return gateway;
}

/** Blocks until timers are due and answers have arrived. After it, timers run first. */
async function block(milliseconds = SHORT_BLOCK): Promise<void> {
  await nextTurn();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

const errorsIn = (outcomes: PromiseSettledResult<unknown>[]) =>
  outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));

describe('while the event loop is blocked for longer than the time limit', () => {
  test('no call is lost or sent twice, whether in flight or queued', async () => {
    const { sign } = bound(await open(config(), [], LIMITS));
    const before = await kms.setFault({ kind: 'delay', milliseconds: 40 });
    const calls = Array.from({ length: 200 }, sign);
    await after(20);
    await block(LONG_BLOCK);
    expect(errorsIn(await Promise.allSettled(calls))).toEqual([]);
    expect((await kms.setFault()) - before).toBe(200);
    expect(events).toEqual([]);
  });

  test('an answer that takes most of the time limit is not lost', async () => {
    const { sign } = bound(await open());
    const before = await kms.setFault({ kind: 'delay', milliseconds: 650 });
    const calls = Array.from({ length: 50 }, sign);
    await after(300);
    await block();
    expect(errorsIn(await Promise.allSettled(calls))).toEqual([]);
    expect((await kms.setFault()) - before).toBe(50);
  });

  test('no call goes to another Region', async () => {
    const regions: string[] = [];
    const client = (region: string) => {
      const regional = new KMSClient({ ...config(), region });
      regional.middlewareStack.add((next) => (args) => {
        regions.push(region);
        return next(args);
      });
      return regional;
    };
    const { sign } = bound(await open(client, ['eu-central-1', 'eu-west-1']));
    await kms.setFault({ kind: 'delay', milliseconds: 200 });
    const calls = Array.from({ length: 20 }, sign);
    await after(50);
    await block();
    expect(errorsIn(await Promise.allSettled(calls))).toEqual([]);
    await sign();
    expect(new Set(regions)).toEqual(new Set(['eu-central-1']));
  });

  test('timeouts of a client of the app cause errors that name the block, and do not open the circuit', async () => {
    const requestHandler = { requestTimeout: 800, throwOnRequestTimeout: true };
    const client = new KMSClient({ ...config(), requestHandler, maxAttempts: 1 });
    const { sign } = bound(await open(client));
    await kms.setFault({ kind: 'delay', milliseconds: 500 });
    const calls = Array.from({ length: 20 }, sign);
    await after(250);
    await block();
    const errors = errorsIn(await Promise.allSettled(calls));
    const message = expect.stringMatching(
      /^No answer of KMS to Sign with alias\/faults was read \(ETIMEDOUT\), as this process was blocked for 1\.\d s \(raise its CPU limits, /,
    ) as string;
    expect(errors).toHaveLength(20);
    for (const error of errors) expect(error).toMatchObject({ reason: 'blocked', message });
    expect(events).toEqual([]);
    client.destroy();
  });
});

function bound(one: KmsGateway) {
  return { sign: () => one.sign(signing) };
}
