import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import { Test } from '@nestjs/testing';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { A, alias, C, newRing, OUTAGE, seconds } from './support.js';
import { forge, newKeyPair } from '../support/forge.js';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

describe('an unknown kid', () => {
  test('triggers one refresh for concurrent calls', async () => {
    const { ring, state } = newRing([alias(A), alias(A, C)]);
    await ring.active();
    const found = await Promise.all([ring.find('C'), ring.find('C'), ring.find('x')]);
    expect(found).toEqual([C, C, undefined]);
    expect(state.loads).toBe(2);
  });

  test('triggers at most one refresh in 30 seconds, even for 100,000 calls', async () => {
    const { ring, state } = newRing([{ ...alias(A), freshFor: 86_400 }]);
    await ring.active();
    const loads: number[] = [];
    for (let token = 0; token < 100_000; token += 1) {
      await ring.find(`forged-${token}`);
      if (token % 10_000 !== 9999) continue;
      loads.push(state.loads - 1);
      await seconds(15);
    }
    expect(loads).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  });

  test('is not reported as unknown while the source is unavailable', async () => {
    const { ring } = newRing([alias(A), OUTAGE, alias(A)]);
    await ring.active();
    await expect(ring.find('C')).rejects.toThrow('outage');
    expect(await ring.find('A')).toBe(A);
    await seconds(30);
    expect(await ring.find('C')).toBeUndefined();
  });
});

test('100,000 forged tokens cause one KMS call, and retain no memory', async () => {
  vi.useRealTimers();
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() })],
  }).compile();
  await module.init();
  const jwt = module.get(KmsJwtService);
  const { privateKey } = newKeyPair();
  const [, rest] = /^[^.]+(\..+)$/.exec(forge({}, { sub: 'root' }, privateKey)) ?? [];
  const forgeMany = async (from: number, to: number) => {
    for (let token = from; token < to; token += 1) {
      const header = { alg: 'ES256', kid: `${token}-${'x'.repeat(64)}` };
      const forged = Buffer.from(JSON.stringify(header)).toString('base64url') + rest;
      const error: unknown = await jwt.verify(forged).catch((reason: unknown) => reason);
      if ((error as Error).name !== 'TokenKeyUnknownError') throw error;
    }
  };
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };

  localKms.resetCalls();
  await forgeMany(0, 20_000);
  const before = heap();
  await forgeMany(20_000, 120_000);
  // The kids alone would take 7 MB.
  expect(heap() - before).toBeLessThan(2_000_000);
  expect(localKms.calls.GetPublicKey).toBe(1);
  await module.close();
});
