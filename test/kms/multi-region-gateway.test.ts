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
import { MultiRegionGateway } from '../../src/kms/multi-region-gateway.js';
import { appClient } from '../../src/kms/kms-clients.js';
import { SingleRegionGateway } from '../../src/kms/single-region-gateway.js';

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
  // All Regions share one key file, so each has a replica of the key.
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
      KmsJwtModule.forRoot({
        keyId: KEY_ID,
        regions: [...REGIONS],
        client,
        limits: { timeout: TIMEOUT },
        ...options,
      }),
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

describe('a Region that becomes unavailable during 1,000 signatures', () => {
  test.each<[string, LocalKmsFault]>([
    ['silent', { kind: 'hang' }],
    ['cut off', { kind: 'drop' }],
    ['failing', { kind: 'html' }],
    ['throttling', { kind: 'throttle' }],
  ])('(%s) causes no failure, and no signature takes longer than the time limit', async (_, fault) => {
    const jwt = await start();
    const tokens: string[] = [];
    let slowest = 0;
    const signer = async () => {
      while (tokens.length < 1000) {
        // LocalKms answers in one turn of the event loop; without this, no timer of the other calls could fire.
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
    // Only calls in flight meet the fault.
    expect(signaturesOf('eu-central-1') + signaturesOf('eu-west-1')).toBeLessThanOrEqual(1000 + 2 * 4);
    expect(new Set(tokens.map((token) => kidOf(jwt, token)))).toEqual(new Set([KEY_ID]));
    for (const token of tokens) await jwt.verify(token);
  });
});

test('if all Regions are unavailable, sign rejects with KmsUnavailableError within one time limit', async () => {
  const jwt = await start();
  for (const region of REGIONS) inRegion(region).inject({ kind: 'hang' });
  const started = performance.now();
  await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'timeout' });
  expect(performance.now() - started).toBeLessThan(TIMEOUT * 1.5);
});

test('a refusal is not retried in the next Region', async () => {
  const jwt = await start();
  inRegion('eu-central-1').inject({ kind: 'error', name: 'AccessDeniedException' });
  await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsAccessDeniedError' });
  expect(signaturesOf('eu-west-1')).toBe(0);
});

describe('a Region that was unavailable', () => {
  let now: number;
  let gateway: MultiRegionGateway;
  const sign = () =>
    gateway.sign({ keyId: KEY_ID, algorithm: ES256, messageType: 'DIGEST', message: new Uint8Array(32) });

  beforeEach(() => {
    now = 0;
    const limits = { timeout: 100, maxConcurrency: 50, maxQueue: 1000 };
    const gateways = REGIONS.map(
      (region) => [region, new SingleRegionGateway(appClient(client(region)), limits)] as const,
    );
    gateway = new MultiRegionGateway(new Map(gateways), 200, () => now);
  });
  afterEach(() => gateway.close());

  test('is skipped for 10 seconds, then probed by one call, and signs again after it has recovered', async () => {
    const outage = inRegion('eu-central-1').inject({ kind: 'hang' });
    await sign();
    for (let count = 0; count < 10; count += 1) await sign();
    expect(outage.count).toBe(1);

    now = 10_000;
    await Promise.all([sign(), sign(), sign()]);
    expect(outage.count).toBe(2);

    outage.stop();
    now = 20_000;
    inRegion('eu-west-1').resetCalls();
    const { keyArn } = await sign();
    expect(keyArn).toContain('eu-central-1');
    await sign();
    expect(signaturesOf('eu-west-1')).toBe(0);
  });

  test('is tried when the other Regions are also unavailable', async () => {
    const first = inRegion('eu-central-1').inject({ kind: 'drop', times: 1 });
    await sign();
    inRegion('eu-west-1').inject({ kind: 'drop' });
    expect((await sign()).keyArn).toContain('eu-central-1');
    expect(first.count).toBe(1);
  });

  test('does not delay an aborted call', async () => {
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
  const gateways = REGIONS.map(
    (region) => [region, new SingleRegionGateway(appClient(client(region)), settings)] as const,
  );
  const gateway = new MultiRegionGateway(new Map(gateways), 3000);
  onTestFinished(() => gateway.close());
  const sign = () =>
    gateway.sign({ keyId: KEY_ID, algorithm: ES256, messageType: 'DIGEST', message: new Uint8Array(32) });
  return { gateway, sign };
}

describe('the limits of a Region', () => {
  test('a call over the limit goes to the next Region, and the first Region gets no cooldown', async () => {
    const { sign } = gatewayWith({ maxConcurrency: 1, maxQueue: 0 });
    const held = inRegion('eu-central-1').inject({ kind: 'hang' });
    const first = sign();
    expect((await sign()).keyArn).toContain('eu-west-1');
    held.stop();
    await first;
    expect((await sign()).keyArn).toContain('eu-central-1');
  });

  test('a second Region that does not answer hardly delays getPublicKey', async () => {
    const { gateway } = gatewayWith({});
    const outage = inRegion('eu-west-1').inject({ kind: 'hang' });
    const started = performance.now();
    expect((await gateway.getPublicKey(KEY_ID)).keyArn).toContain('eu-central-1');
    expect(performance.now() - started).toBeLessThan(1500);
    // close() waits for the pending call.
    outage.stop();
  });

  test('the circuit is open when the circuits of all Regions are open', async () => {
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

test('a signature in flight can still move to the next Region during shutdown', async () => {
  const jwt = await start({ limits: { timeout: 1000 } });
  const silent = inRegion('eu-central-1').inject({ kind: 'hang' });
  const signing = jwt.sign({});
  await expect.poll(() => silent.count).toBe(1);
  await jwt.onApplicationShutdown();
  expect(kidOf(jwt, await signing)).toBe(KEY_ID);
});

test('events name the Region whose circuit has opened', async () => {
  const jwt = await start();
  const events: KmsJwtEvent[] = [];
  jwt.events.subscribe((event) => events.push(event));
  inRegion('eu-central-1').inject({ kind: 'drop' });
  inRegion('eu-west-1').inject({ kind: 'drop' });
  for (let call = 0; call < 10; call += 1) await jwt.sign({}).catch(() => {});
  const regions = events.map((event) => 'region' in event && event.region);
  expect(new Set(regions)).toEqual(new Set(REGIONS));
});

describe('at start', () => {
  test.each(REGIONS)('%s may be unavailable', async (region) => {
    for (const kind of ['hang', 'drop'] as const) {
      const fault = inRegion(region).inject({ kind });
      const jwt = await start();
      expect(kidOf(jwt, await jwt.sign({}))).toBe(KEY_ID);
      fault.stop();
      await module?.close();
    }
  });

  test('the kid does not depend on the Region that answers', async () => {
    const before = await (await start({ kid })).jwks();
    await module?.close();
    inRegion('eu-central-1').inject({ kind: 'drop' });
    const jwt = await start({ kid });
    expect(await jwt.jwks()).toEqual(before);
    expect(kidOf(jwt, await jwt.sign({}))).toBe(before.keys[0]?.kid);
  });

  test.each([
    ['an alias', 'alias/auth'],
    ['a key ARN in another of the Regions', `arn:aws:kms:eu-west-1:000000000000:key/${KEY_ID}`],
    ['an alias ARN', 'arn:aws:kms:eu-west-1:000000000000:alias/auth'],
  ])('keyId may be %s', async (_, keyId) => {
    const jwt = await start({ keyId });
    expect(kidOf(jwt, await jwt.sign({}))).toBe(KEY_ID);
    expect([signaturesOf('eu-central-1'), signaturesOf('eu-west-1')]).toEqual([1, 0]);
  });

  test('different keys in the Regions are refused', async () => {
    kms['eu-west-1'] = new LocalKms({ region: 'eu-west-1', keys: [{ keyId: KEY_ID, alias: 'auth' }] });
    await expect(start()).rejects.toMatchObject({
      name: 'KmsKeyError',
      message: expect.stringMatching(/are not replicas of one Multi-Region key/),
    });
  });

  test('a key that is missing in one Region is refused', async () => {
    kms['eu-west-1'] = new LocalKms({ region: 'eu-west-1' });
    await expect(start()).rejects.toMatchObject({ name: 'KmsKeyError' });
  });

  test('fails if no Region answers', async () => {
    for (const region of REGIONS) inRegion(region).inject({ kind: 'drop' });
    await expect(start()).rejects.toBeInstanceOf(KmsUnavailableError);
  });
});
