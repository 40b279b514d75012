import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  DAY,
  HOUR,
  type Instance,
  now,
  pass,
  published,
  Simulation,
  storeInMemory,
  TEN_YEARS,
} from './simulation.js';

/** Seconds until an instance sees a move, until the last one does if KMS lags, and until the new key signs. */
const REFRESH = 330;
const PROPAGATION = REFRESH + 300;
const ACTIVATION = 990;

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.stop());

/** Moves the alias and waits until the second key signs. */
async function rotate(instance: Instance): Promise<void> {
  await simulation.moveAlias(1);
  await pass(REFRESH + ACTIVATION);
  expect(instance.jwt.health().signing).toBe(simulation.keyId(1));
}

describe('presented tokens do not determine how long an old key verifies:', () => {
  test('a forged token of ten years does not keep its key for ten years', async () => {
    const instance = await simulation.start();
    const stolen = await simulation.steal(0, { sub: 'root', iat: now(), exp: now() + TEN_YEARS });
    await expect(instance.jwt.verify(stolen)).resolves.toMatchObject({ sub: 'root' });

    await rotate(instance);
    await pass(PROPAGATION + PROPAGATION);
    expect(await published(instance)).toEqual([simulation.keyId(1)]);
    await expect(instance.jwt.verify(stolen)).rejects.toMatchObject({ name: 'TokenKeyUnknownError' });
  });

  test('an attacker with kms:UpdateAlias for five minutes gets no more than a regular retirement of the key', async () => {
    const instance = await simulation.start();
    await simulation.moveAlias(1);
    await pass(REFRESH);
    const stolen = await simulation.steal(1, { sub: 'root', exp: now() + TEN_YEARS });
    await expect(instance.jwt.verify(stolen)).resolves.toMatchObject({ sub: 'root' });
    await simulation.moveAlias(0);
    await pass(REFRESH + ACTIVATION + PROPAGATION + PROPAGATION);
    await expect(instance.jwt.verify(stolen)).rejects.toMatchObject({ name: 'TokenKeyUnknownError' });
    expect(await published(instance)).toEqual([simulation.keyId(0)]);
  });

  test.each<[string, (token: string, instance: Instance) => Promise<unknown>]>([
    ['that is valid for one more second', (token, { jwt }) => jwt.verify(token)],
    [
      'that is verified with ignoreExpiration',
      (token, { jwt }) => jwt.verify(token, { ignoreExpiration: true }),
    ],
  ])('a token %s does not shorten the default of 24 hours', async (_, read) => {
    const instance = await simulation.start({ signOptions: {} });
    const exp = now() + 1;
    await read(await simulation.steal(0, { exp }), instance);
    const lasting = await simulation.steal(0, { sub: 'user-42', exp: now() + DAY });
    await rotate(instance);
    await pass(DAY - REFRESH - ACTIVATION - 60);
    await expect(instance.jwt.verify(lasting)).resolves.toMatchObject({ sub: 'user-42' });
  });
});

describe('an old key verifies for', () => {
  test('the lifetime of the tokens that this service signed, if longer than expiresIn', async () => {
    const instance = await simulation.start();
    const token = await instance.jwt.sign({ sub: 'user-42' }, { expiresIn: 2 * HOUR });
    await rotate(instance);
    await pass(2 * HOUR - REFRESH - ACTIVATION - 60);
    await expect(instance.jwt.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
  });

  test('24 hours without expiresIn, even if shorter tokens were signed', async () => {
    const instance = await simulation.start({ signOptions: {} });
    await instance.jwt.sign({}, { expiresIn: 1 });
    const elsewhere = await simulation.steal(0, { sub: 'user-42', exp: now() + DAY });
    await rotate(instance);
    await pass(DAY - REFRESH - ACTIVATION - 60);
    await expect(instance.jwt.verify(elsewhere)).resolves.toMatchObject({ sub: 'user-42' });
  });
});

describe('the configuration overrides the store:', () => {
  test('a shorter retireAfter removes a stored retired key', async () => {
    const { store, stored } = storeInMemory();
    const before = await simulation.start({ rotation: { store, retireAfter: '365d' } });
    const stolen = await simulation.steal(0, { sub: 'root', exp: now() + TEN_YEARS });
    await before.jwt.verify(stolen);
    await rotate(before);
    expect(await published(before)).toHaveLength(2);
    await before.stop();
    expect(JSON.stringify(stored.ring)).not.toContain('retiresAt');

    await pass(60);
    const after = await simulation.start({ rotation: { store, retireAfter: 60, refreshInterval: 30 } });
    // The first lookup is late for the new refreshInterval: the alias may have moved away and back, so the retirement restarts.
    await pass(1400);
    expect(await published(after)).toEqual([simulation.keyId(1)]);
    await expect(after.jwt.verify(stolen)).rejects.toMatchObject({ name: 'TokenKeyUnknownError' });
  });

  test('a longer retireAfter keeps a stored retired key', async () => {
    const { store } = storeInMemory();
    const before = await simulation.start({ rotation: { store, retireAfter: 60 } });
    const token = await simulation.steal(0, { sub: 'user-42', exp: now() + DAY });
    await rotate(before);
    await before.stop();
    const after = await simulation.start({ rotation: { store, retireAfter: '1d' } });
    await pass(3600);
    await expect(after.jwt.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
  });

  test('a key with a retirement in the future, by a wrong clock, is removed in the usual time', async () => {
    const { store, stored } = storeInMemory();
    const before = await simulation.start({ rotation: { store } });
    await rotate(before);
    await before.stop();
    const [retired] = stored.ring?.retired ?? [];
    Object.assign(retired ?? {}, { leftAt: (now() + TEN_YEARS) * 1000 });
    const after = await simulation.start({ rotation: { store } });
    await pass(ACTIVATION + PROPAGATION + PROPAGATION);
    expect(await published(after)).toEqual([simulation.keyId(1)]);
  });
});
