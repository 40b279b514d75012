import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FetchedKeys } from '../../src/keys/rotation.js';
import { A, alias, C, deferred, newRing, OUTAGE, seconds } from './support.js';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

describe('a refresh', () => {
  test('starts when the answer is no longer fresh, and a known key is found without waiting for it', async () => {
    const slow = deferred<FetchedKeys>();
    const { ring, state, kids } = newRing([alias(A), slow.promise]);
    await ring.active();
    await seconds(299);
    expect(state.loads).toBe(1);
    await seconds(1);
    expect(state.loads).toBe(2);

    expect(await ring.active()).toBe(A);
    expect(await ring.find('A')).toBe(A);
    expect(await kids()).toEqual(['A']);
    slow.resolve(alias(A, C));
    await seconds(0);
    expect(await kids()).toEqual(['A', 'C']);
  });

  test.each([
    [0, 300],
    [0.999, 271],
  ])(
    'starts up to 10 %% earlier, so that instances do not refresh at the same time: %s',
    async (random, after) => {
      const { ring, state } = newRing([alias(A)], { random });
      await ring.active();
      await seconds(after - 1);
      expect(state.loads).toBe(1);
      await seconds(2);
      expect(state.loads).toBe(2);
    },
  );

  test('that fails keeps the last keys, is retried soon, and emits an event on failure and on recovery', async () => {
    const { ring, state, events, kids } = newRing([alias(A, C), OUTAGE, OUTAGE, alias(A, C)]);
    await ring.active();
    events.length = 0;
    await seconds(300);
    expect(events).toEqual(['refresh_failed outage']);
    expect(ring.health.refresh).toBe('failed');
    expect(await ring.active()).toBe(A);
    expect(await kids()).toEqual(['A', 'C']);

    await seconds(30);
    expect(events).toEqual(['refresh_failed outage', 'refresh_failed outage']);
    await seconds(30);
    expect(events.slice(2)).toEqual(['refresh_recovered']);
    expect(ring.health.refresh).toBe('ok');
    await seconds(299);
    expect(state.loads).toBe(4);
  });

  test('that partly fails emits an event each time, and another on full success', async () => {
    const inPart = { ...alias(A), problem: new Error('problem') };
    const { ring, events } = newRing([alias(A), inPart, OUTAGE, inPart, alias(A), alias(A)]);
    await ring.active();
    events.length = 0;
    await seconds(300);
    await seconds(300);
    await seconds(30);
    expect(events).toEqual(['refresh_failed problem', 'refresh_failed outage', 'refresh_failed problem']);
    await seconds(600);
    expect(events.slice(3)).toEqual(['refresh_recovered']);
  });

  test('never happens if the answer cannot change, not even for an unknown kid', async () => {
    const { ring, state } = newRing([{ signing: A, others: [] }]);
    await ring.active();
    expect(await ring.find('B')).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
    expect(state.loads).toBe(1);
  });
});
