import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FetchedKeys } from '../../src/keys/rotation.js';
import { A, alias, B, deferred, newKey, newRing, newStore, OUTAGE, seconds } from './support.js';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

describe('the key', () => {
  test('is fetched once, for concurrent and later calls', async () => {
    const { ring, state } = newRing([alias(A)]);
    await Promise.all([ring.active(), ring.find('A'), ring.all(), ring.active()]);
    await ring.active();
    expect(state.loads).toBe(1);
  });

  test('is found only by its kid', async () => {
    const { ring, kids } = newRing([alias(A)]);
    expect(await ring.find('A')).toBe(A);
    expect(await ring.find('a')).toBeUndefined();
    expect(await ring.find('__proto__')).toBeUndefined();
    expect(await kids()).toEqual(['A']);
  });
});

describe('a failed first fetch', () => {
  test('rejects all concurrent calls, and the next call for the signing key tries again', async () => {
    const { ring, state } = newRing([OUTAGE, alias(A)]);
    const results = await Promise.allSettled([ring.active(), ring.active()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await ring.active()).toBe(A);
    expect(state.loads).toBe(2);
  });

  test('makes find reject for 250 ms, so that many tokens cause at most four fetches a second', async () => {
    const { ring, state } = newRing([OUTAGE]);
    for (let token = 0; token < 100; token += 1) await expect(ring.find('x')).rejects.toThrow('outage');
    expect(state.loads).toBe(1);
    await seconds(0.25);
    await expect(ring.find('x')).rejects.toThrow('outage');
    expect(state.loads).toBe(2);
  });

  test('no longer affects find as soon as a call has fetched the signing key', async () => {
    const { ring } = newRing([OUTAGE, alias(A)]);
    await expect(ring.find('A')).rejects.toThrow('outage');
    await ring.active();
    expect(await ring.find('A')).toBe(A);
  });
});

describe('a key', () => {
  test('that can no longer sign is replaced by the next at once, in the store as well', async () => {
    const { store, saved } = newStore();
    const { ring, events } = newRing([alias(A), alias(B)], { store });
    await ring.active();
    expect(ring.retireEarly(A)).toBe(false);
    await seconds(300);
    events.length = 0;
    expect(ring.retireEarly(A)).toBe(true);
    expect(ring.retireEarly(A)).toBe(true);
    expect((await ring.active()).kid).toBe('B');
    expect(events).toEqual(['key_activated B']);
    expect(await ring.find('A')).toBe(A);
    await seconds(0);
    expect(saved.at(-1)?.active?.jwk.kid).toBe('B');
  });

  test('with the kid of another key is refused, because tokens could not distinguish them', async () => {
    const impostor = { ...newKey('A'), keyArn: B.keyArn };
    const { ring, events } = newRing([alias(A), alias(impostor)]);
    await ring.active();
    await seconds(300);
    expect(events.at(-1)).toMatch(/^refresh_failed KmsJwt: kid must be unique for each key/);
    expect(await ring.active()).toBe(A);
  });
});

test('the limits on fetches use the monotonic clock', async () => {
  const { ring, state } = newRing([OUTAGE, alias(A)]);
  await expect(ring.find('A')).rejects.toThrow('outage');
  vi.setSystemTime(Date.now() - 3_600_000);
  await seconds(0.25);
  expect(await ring.find('A')).toBe(A);
  expect(state.loads).toBe(2);
});

test('requests for the key set cause one call while the first fetch fails', async () => {
  const { ring, state } = newRing([OUTAGE]);
  for (let request = 0; request < 100; request += 1) await expect(ring.all()).rejects.toThrow('outage');
  expect(state.loads).toBe(1);
});

describe('stop', () => {
  test('leaves no timer', async () => {
    const { ring } = newRing([alias(A), alias(B)], { activationDelay: 0 });
    await ring.active();
    await seconds(300);
    expect(vi.getTimerCount()).toBe(2);
    await ring.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('leaves no timer after a refresh in progress', async () => {
    const slow = deferred<FetchedKeys>();
    const { ring } = newRing([alias(A), slow.promise]);
    await ring.active();
    await seconds(300);
    await ring.stop();
    slow.resolve(alias(B));
    await seconds(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('a key that takes over the kid of another replaces it, and only the new key is trusted', async () => {
  const [first, second] = [newKey('K'), newKey('K')];
  const { ring, events } = newRing([
    { others: [first], freshFor: 30 },
    { others: [second], freshFor: 30 },
  ]);
  await ring.all();
  expect([ring.trusts(first), ring.trusts(second)]).toEqual([true, false]);
  await ring.refresh();
  expect([ring.trusts(first), ring.trusts(second)]).toEqual([false, true]);
  expect(events).toEqual(['key_published K', 'key_removed K', 'key_published K']);
});
