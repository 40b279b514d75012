import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { AliasSigner } from '../../src/keys/alias-signer.js';
import type { KeyRing } from '../../src/keys/key-ring.js';
import type { TrustedKeys } from '../../src/keys/trusted-keys.js';
import type { FetchedKeys } from '../../src/keys/rotation.js';
import { Machine, SimulatedTime } from '../fleet/time.js';
import { A, alias, B, C, newRing, newStore } from './support.js';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 24 * HOUR;
/** The latency of a call to KMS, in milliseconds. */
const LATENCY = 20;
/** With these settings, A verifies for 630 + 990 + 600 seconds after the alias has left it. */
const SETTINGS = { activationDelay: 990, retireAfter: 600 };

let time: SimulatedTime;
let machine: Machine;
/** The keys behind the alias. */
let target: FetchedKeys;
/** The KeyId of each Sign request. */
let sent: string[];

beforeEach(() => {
  time = new SimulatedTime();
  machine = new Machine(time, 0, 0);
  target = alias(A);
  sent = [];
});

async function pass(seconds: number): Promise<void> {
  await setImmediate();
  await time.runUntil(time.now + seconds * 1000);
}
async function freeze(how: 'stopped' | 'suspended' | 'paused', seconds: number) {
  machine.freeze(how);
  await pass(seconds);
  machine.thaw();
}
async function start(options: Parameters<typeof newRing>[1] = {}) {
  const answer = () => machine.call(LATENCY, () => target);
  const instance = newRing([answer], { ...SETTINGS, ...options, clock: machine });
  const keys = instance.ring.all();
  await pass(1);
  await keys;
  return { ...instance, sign: signerOf(instance) };
}
/** Signs a token. @returns the kid of its key */
function signerOf({ ring, keys }: { ring: KeyRing; keys: TrustedKeys }) {
  const signer = new AliasSigner(ring, keys, { keyId: 'alias/auth', requestAlias: false }, () => {});
  return async () => {
    const signed = signer.sign(async (_, keyId) => {
      sent.push(keyId);
      return machine.call(LATENCY, () => ({
        keyArn: keyId === 'alias/auth' ? (target.signing?.keyArn ?? '') : keyId,
      }));
    });
    const settled = signed.catch(() => {});
    await pass(1);
    await settled;
    return (await signed).key.kid;
  };
}
/** An instance after a rotation from A to B, in which B signs. */
async function rotated(options?: Parameters<typeof newRing>[1]) {
  const instance = await start(options);
  target = alias(B);
  await pass(300 + 990 + 300);
  expect(instance.keys.active?.kid).toBe('B');
  return instance;
}

describe('while the wall clock is a day ahead', () => {
  test('no retired key is removed', async () => {
    const { kids, events } = await rotated();
    machine.step = DAY * 1000;
    await pass(MINUTE);
    expect(await kids()).toEqual(['B', 'A']);
    machine.step = 0;
    await pass(MINUTE);
    expect(await kids()).toEqual(['B', 'A']);
    expect(events).not.toContain('key_removed A');
    expect(events.filter((event) => event === 'clock_stepped')).toHaveLength(2);
  });

  test('no key is activated: in a rotation, no key signs until the clock is right', async () => {
    const { sign, kids } = await start();
    target = alias(B);
    await pass(300);
    expect(await kids()).toEqual(['A', 'B']);
    machine.step = DAY * 1000;
    await expect(sign()).rejects.toMatchObject({ reason: 'alias_moved' });
    await pass(MINUTE);
    await expect(sign()).rejects.toMatchObject({ reason: 'alias_moved' });
    machine.step = 0;
    await expect(sign()).resolves.toBe('A');
    await pass(990 - 2 * MINUTE);
    await expect(sign()).resolves.toBe('A');
    await pass(MINUTE);
    await expect(sign()).resolves.toBe('B');
  });

  test('the alias is looked up once, before the next signature', async () => {
    const { sign } = await start();
    await pass(1);
    await sign();
    machine.step = DAY * 1000;
    await sign();
    await sign();
    expect(sent).toEqual([A.keyArn, 'alias/auth', A.keyArn]);
  });
});

test('while the wall clock is a day back, nothing is looked up, removed or kept for longer', async () => {
  const { sign, kids } = await rotated();
  sent = [];
  machine.step = -DAY * 1000;
  await pass(MINUTE);
  await sign();
  expect(sent).toEqual([B.keyArn]);
  machine.step = 0;
  await pass(HOUR);
  expect(await kids()).toEqual(['B']);
});

describe.each([
  ['a process that was stopped', 'stopped'],
  ['a machine that was suspended, which the wall clock and uptime show,', 'suspended'],
] as const)('%s for an hour', (_, how) => {
  test('signs with the new key at once if the alias moved', async () => {
    const { sign } = await start();
    await pass(MINUTE);
    target = alias(B);
    await freeze(how, HOUR);
    expect(await sign()).toBe('B');
    expect(sent).toEqual(['alias/auth', B.keyArn]);
  });

  test('does not sign with the skipped key if the alias moved on during a rotation', async () => {
    const { sign } = await start();
    target = alias(B);
    await pass(300);
    target = alias(C);
    await freeze(how, HOUR);
    expect(await sign()).toBe('C');
  });
});

describe('a machine that was paused for an hour, which only the wall clock shows,', () => {
  test('signs with no key for activationDelay if the alias moved, because the clock may be wrong', async () => {
    const { sign } = await start();
    await pass(MINUTE);
    target = alias(B);
    await freeze('paused', HOUR);
    await expect(sign()).rejects.toMatchObject({ reason: 'alias_moved' });
    await pass(980);
    await expect(sign()).rejects.toMatchObject({ reason: 'alias_moved' });
    await pass(10);
    expect(await sign()).toBe('B');
  });

  test('signs neither with the old nor with the skipped key if the alias moved on during a rotation', async () => {
    const { sign } = await start();
    target = alias(B);
    await pass(300);
    target = alias(C);
    await freeze('paused', HOUR);
    await expect(sign()).rejects.toMatchObject({ reason: 'alias_moved' });
    await pass(990);
    expect(await sign()).toBe('C');
  });
});

test.each(['stopped', 'suspended', 'paused'] as const)(
  'after an hour in which the machine was %s, the first signature looks up the alias',
  async (how) => {
    const { sign } = await start();
    await pass(MINUTE);
    await freeze(how, HOUR);
    expect(await sign()).toBe('A');
    expect(sent).toEqual(['alias/auth']);
  },
);

describe('a store', () => {
  test('that was written while the wall clock was a day ahead keeps the keys until they are due', async () => {
    const { store } = newStore();
    const before = await start({ store });
    target = alias(B);
    machine.step = DAY * 1000;
    await pass(300 + 990 + 300);
    await before.ring.stop();
    machine.step = 0;

    const { kids } = await start({ store });
    expect(await kids()).toEqual(['B', 'A']);
    await pass(630 + 990 + 600 + 300);
    expect(await kids()).toEqual(['B']);
  });

  test('keeps the time at which the alias left a key when the wall clock is corrected', async () => {
    const { store } = newStore();
    const before = await rotated({ store });
    machine.step = HOUR * 1000;
    await pass(MINUTE);
    machine.step = 0;
    await pass(300);
    await before.ring.stop();
    const { kids, sign } = await start({ store });
    expect(await kids()).toEqual(['B', 'A']);
    expect(await sign()).toBe('B');
  });
});
