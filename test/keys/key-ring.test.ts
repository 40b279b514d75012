import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { SigningKey } from '../../src/keys/signing-key.js';

const KEY = { kid: 'one' } as SigningKey;

const SETTINGS = { activationDelay: 60, retireAfter: 600, ringStore: undefined };

/** A source that answers as it is told, and a clock that stands until it is moved. */
function newRing(...answers: (SigningKey | Error)[]) {
  const state = { loads: 0, now: 0 };
  const source = {
    load: async () => {
      const answer = answers[Math.min(state.loads, answers.length - 1)];
      state.loads += 1;
      if (answer instanceof Error) throw answer;
      return { signing: answer as SigningKey, others: [] };
    },
  };
  return { state, ring: new KeyRing(source, SETTINGS, { now: () => state.now, random: () => 0.5 }) };
}

describe('the key', () => {
  test('is fetched once, however many ask at once and afterwards', async () => {
    const { ring, state } = newRing(KEY);
    await Promise.all([ring.active(), ring.find('one'), ring.all(), ring.active()]);
    await ring.active();
    expect(state.loads).toBe(1);
  });

  test('is found by its kid and by no other', async () => {
    const { ring } = newRing(KEY);
    expect(await ring.find('one')).toBe(KEY);
    expect(await ring.find('One')).toBeUndefined();
    expect(await ring.find('__proto__')).toBeUndefined();
    expect(await ring.all()).toEqual([KEY]);
  });
});

describe('a fetch that failed', () => {
  test('fails all who waited for it, and the next signer tries again', async () => {
    const { ring, state } = newRing(new Error('away'), KEY);
    const results = await Promise.allSettled([ring.active(), ring.active()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await ring.active()).toBe(KEY);
    expect(state.loads).toBe(2);
  });

  test('is remembered for a second where tokens ask, so that a flood of them makes one fetch a second', async () => {
    const { ring, state } = newRing(new Error('away'));
    for (let token = 0; token < 100; token += 1) await expect(ring.find('x')).rejects.toThrow('away');
    expect(state.loads).toBe(1);
    state.now = 1000;
    await expect(ring.find('x')).rejects.toThrow('away');
    expect(state.loads).toBe(2);
  });

  test('is forgotten as soon as a signer has the key', async () => {
    const { ring } = newRing(new Error('away'), KEY);
    await expect(ring.find('one')).rejects.toThrow('away');
    await ring.active();
    expect(await ring.find('one')).toBe(KEY);
  });
});
