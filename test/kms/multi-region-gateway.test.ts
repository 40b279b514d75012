import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Test, type TestingModule } from '@nestjs/testing';
import { type KmsJwtEvent, KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { KmsUnavailableError } from '../../src/errors/errors.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import { KmsGateway } from '../../src/kms/kms-gateway.js';
import { RegionalGateway } from '../../src/kms/multi-region-gateway.js';

const KEY_ID = `mrk-${'0'.repeat(31)}1`;
const REGIONS = ['eu-central-1', 'eu-west-1'] as const;
const TIMEOUT = 300;

let folder: string;
let kms: Record<string, LocalKms>;
let module: TestingModule | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regions-'));
  const keys = [{ keyId: KEY_ID, alias: 'auth' }];
  const file = join(folder, 'keys.json');
  // One file is one key: its replica in each Region.
  kms = Object.fromEntries(REGIONS.map((region) => [region, new LocalKms({ region, keys, file })]));
});
afterEach(async () => {
  await module?.close();
  module = undefined;
  await rm(folder, { recursive: true });
});

const inRegion = (region: (typeof REGIONS)[number]) => kms[region] as LocalKms;
const client = (region: string) => (kms[region] as LocalKms).client({ maxAttempts: 1 });
const signaturesOf = (region: (typeof REGIONS)[number]) => inRegion(region).calls.Sign;

async function start(options: Partial<KmsJwtModuleOptions> = {}): Promise<KmsJwtService> {
  module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({ keyId: KEY_ID, regions: [...REGIONS], client, timeout: TIMEOUT, ...options }),
    ],
  }).compile();
  await module.init();
  return module.get(KmsJwtService);
}
const kidOf = (jwt: KmsJwtService, token: string) => jwt.decode(token, { complete: true }).header.kid;

test('the first Region signs', async () => {
  const jwt = await start();
  await jwt.sign({});
  expect([signaturesOf('eu-central-1'), signaturesOf('eu-west-1')]).toEqual([1, 0]);
});

describe('a Region taken away in the middle of 1,000 signatures', () => {
  test.each<[string, LocalKmsFault]>([
    ['silent', { kind: 'hang' }],
    ['cut off', { kind: 'drop' }],
    ['failing', { kind: 'html' }],
    ['throttling', { kind: 'throttle' }],
  ])('(%s) costs no failure, and less than one extra deadline each', async (_, fault) => {
    const jwt = await start();
    const tokens: string[] = [];
    let slowest = 0;
    const signer = async () => {
      while (tokens.length < 1000) {
        // LocalKms answers without a turn of the event loop, on which the deadlines of the others wait.
        await nextTurn();
        const started = performance.now();
        tokens.push(await jwt.sign({ sub: 'user-42' }));
        slowest = Math.max(slowest, performance.now() - started);
        if (tokens.length === 500) inRegion('eu-central-1').inject(fault);
      }
    };
    await Promise.all([signer(), signer(), signer(), signer()]);

    expect(slowest).toBeLessThan(TIMEOUT);
    expect(signaturesOf('eu-central-1')).toBeGreaterThanOrEqual(500);
    expect(signaturesOf('eu-west-1')).toBeGreaterThanOrEqual(490);
    // Who was under way met the fault; nobody after them.
    expect(signaturesOf('eu-central-1') + signaturesOf('eu-west-1')).toBeLessThanOrEqual(1000 + 2 * 4);
    expect(new Set(tokens.map((token) => kidOf(jwt, token)))).toEqual(new Set([KEY_ID]));
    for (const token of tokens) await jwt.verify(token);
  });
});

test('all Regions away: one deadline, and KmsUnavailableError', async () => {
  const jwt = await start();
  for (const region of REGIONS) inRegion(region).inject({ kind: 'hang' });
  const started = performance.now();
  await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'timeout' });
  expect(performance.now() - started).toBeLessThan(TIMEOUT * 1.5);
});

test('what is wrong with the call is not tried elsewhere', async () => {
  const jwt = await start();
  inRegion('eu-central-1').inject({ kind: 'error', name: 'AccessDeniedException' });
  await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsAccessDeniedError' });
  expect(signaturesOf('eu-west-1')).toBe(0);
});

describe('a Region that was away', () => {
  let now: number;
  let gateway: RegionalGateway;
  const sign = () =>
    gateway.sign({ keyId: KEY_ID, algorithm: ES256, messageType: 'DIGEST', message: new Uint8Array(32) });

  beforeEach(() => {
    now = 0;
    const limits = { timeout: 100, maxConcurrency: 50, maxQueue: 1000 };
    const gateways = REGIONS.map((region) => [region, new KmsGateway(client(region), true, limits)] as const);
    gateway = new RegionalGateway(new Map(gateways), 200, () => now);
  });
  afterEach(() => gateway.close());

  test('is passed over for 10 seconds, then tried by one call, and signs again when it has recovered', async () => {
    const away = inRegion('eu-central-1').inject({ kind: 'hang' });
    await sign();
    for (let count = 0; count < 10; count += 1) await sign();
    expect(away.count).toBe(1);

    now = 10_000;
    await Promise.all([sign(), sign(), sign()]);
    expect(away.count).toBe(2);

    away.stop();
    now = 20_000;
    inRegion('eu-west-1').resetCalls();
    const { keyArn } = await sign();
    expect(keyArn).toContain('eu-central-1');
    await sign();
    expect(signaturesOf('eu-west-1')).toBe(0);
  });

  test('is tried all the same when those that were up are away too', async () => {
    const first = inRegion('eu-central-1').inject({ kind: 'drop', times: 1 });
    await sign();
    inRegion('eu-west-1').inject({ kind: 'drop' });
    expect((await sign()).keyArn).toContain('eu-central-1');
    expect(first.count).toBe(1);
  });

  test('does not outlast a caller who gives up', async () => {
    inRegion('eu-central-1').inject({ kind: 'hang' });
    const reason = new Error('gone');
    const request = {
      keyId: KEY_ID,
      algorithm: ES256,
      messageType: 'DIGEST',
      message: new Uint8Array(32),
    } as const;
    await expect(gateway.sign({ ...request, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(signaturesOf('eu-west-1')).toBe(0);
  });
});

function gatewayWith(limits: object) {
  const settings = { timeout: 3000, maxConcurrency: 50, maxQueue: 1000, ...limits };
  const gateways = REGIONS.map((region) => [region, new KmsGateway(client(region), true, settings)] as const);
  const gateway = new RegionalGateway(new Map(gateways), 3000);
  onTestFinished(() => gateway.close());
  const sign = () =>
    gateway.sign({ keyId: KEY_ID, algorithm: ES256, messageType: 'DIGEST', message: new Uint8Array(32) });
  return { gateway, sign };
}

describe('the limits of a Region', () => {
  test('a call too many goes on to the next Region, and the first is asked again at once', async () => {
    const { sign } = gatewayWith({ maxConcurrency: 1, maxQueue: 0 });
    const held = inRegion('eu-central-1').inject({ kind: 'hang' });
    const first = sign();
    expect((await sign()).keyArn).toContain('eu-west-1');
    held.stop();
    await first;
    expect((await sign()).keyArn).toContain('eu-central-1');
  });

  test('a spare Region that is silent keeps nobody from the key', async () => {
    const { gateway } = gatewayWith({});
    inRegion('eu-west-1').inject({ kind: 'hang' });
    const started = performance.now();
    expect((await gateway.getPublicKey(KEY_ID)).keyArn).toContain('eu-central-1');
    expect(performance.now() - started).toBeLessThan(1500);
  });

  test('the circuit is open where that of every Region is', async () => {
    const { gateway, sign } = gatewayWith({});
    inRegion('eu-central-1').inject({ kind: 'drop' });
    inRegion('eu-west-1').inject({ kind: 'drop', times: 9 });
    for (let call = 0; call < 9; call += 1) await sign().catch(() => {});
    expect(gateway.circuit).toBe('closed');
    inRegion('eu-west-1').inject({ kind: 'drop' });
    for (let call = 0; call < 10; call += 1) await sign().catch(() => {});
    expect(gateway.circuit).toBe('open');
    await expect(sign()).rejects.toMatchObject({ reason: 'circuit_open' });
  });
});

const kid = ({ keyArn }: { keyArn: string }) => keyArn;

test('at shutdown a signature goes on to the next Region all the same', async () => {
  const jwt = await start({ timeout: 1000 });
  const silent = inRegion('eu-central-1').inject({ kind: 'hang' });
  const signing = jwt.sign({});
  await expect.poll(() => silent.count).toBe(1);
  await jwt.onApplicationShutdown();
  expect(kidOf(jwt, await signing)).toBe(KEY_ID);
});

test('events name the Region whose circuit has opened', async () => {
  const jwt = await start();
  const told: KmsJwtEvent[] = [];
  jwt.events.subscribe((event) => told.push(event));
  inRegion('eu-central-1').inject({ kind: 'drop' });
  inRegion('eu-west-1').inject({ kind: 'drop' });
  for (let call = 0; call < 10; call += 1) await jwt.sign({}).catch(() => {});
  const regions = told.map((event) => 'region' in event && event.region);
  expect(new Set(regions)).toEqual(new Set(REGIONS));
});

describe('at start', () => {
  test.each(REGIONS)('%s may be away', async (region) => {
    for (const kind of ['hang', 'drop'] as const) {
      const fault = inRegion(region).inject({ kind });
      const jwt = await start();
      expect(kidOf(jwt, await jwt.sign({}))).toBe(KEY_ID);
      fault.stop();
      await module?.close();
    }
  });

  test('the kid is the same, whichever Region answers', async () => {
    const before = await (await start({ kid })).jwks();
    await module?.close();
    inRegion('eu-central-1').inject({ kind: 'drop' });
    const jwt = await start({ kid });
    expect(await jwt.jwks()).toEqual(before);
    expect(kidOf(jwt, await jwt.sign({}))).toBe(before.keys[0]?.kid);
  });

  test.each([
    ['an alias', 'alias/auth'],
    ['an ARN of another of the Regions', `arn:aws:kms:eu-west-1:000000000000:key/${KEY_ID}`],
    ['the ARN of an alias', 'arn:aws:kms:eu-west-1:000000000000:alias/auth'],
  ])('the key may be named by %s', async (_, keyId) => {
    const jwt = await start({ keyId });
    expect(kidOf(jwt, await jwt.sign({}))).toBe(KEY_ID);
    expect([signaturesOf('eu-central-1'), signaturesOf('eu-west-1')]).toEqual([1, 0]);
  });

  test('keys that differ are refused', async () => {
    kms['eu-west-1'] = new LocalKms({ region: 'eu-west-1', keys: [{ keyId: KEY_ID, alias: 'auth' }] });
    await expect(start()).rejects.toMatchObject({
      name: 'KmsKeyError',
      message: expect.stringMatching(/are not replicas of one Multi-Region key/),
    });
  });

  test('a key that one Region does not have is refused', async () => {
    kms['eu-west-1'] = new LocalKms({ region: 'eu-west-1' });
    await expect(start()).rejects.toMatchObject({ name: 'KmsKeyError' });
  });

  test('without any Region there is no key', async () => {
    for (const region of REGIONS) inRegion(region).inject({ kind: 'drop' });
    await expect(start()).rejects.toBeInstanceOf(KmsUnavailableError);
  });
});
