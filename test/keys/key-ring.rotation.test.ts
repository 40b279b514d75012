import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { A, alias, B, newRing, seconds } from './support.js';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

describe('a rotation', () => {
  test('emits an event for each step, at its time', async () => {
    const { ring, events, kids } = newRing([alias(A), alias(B)]);
    await ring.active();
    expect(events.splice(0)).toEqual(['key_published A', 'key_activated A']);
    await seconds(300);
    expect(events.splice(0)).toEqual(['key_published B']);
    expect(await ring.active()).toBe(A);
    await seconds(59);
    expect(events).toEqual([]);
    await seconds(1);
    expect(events.splice(0)).toEqual(['key_activated B']);
    expect(await ring.active()).toBe(B);
    expect(await kids()).toEqual(['B', 'A']);
    // Plus the refresh interval and its jitter: another instance may sign with the old key for as long.
    await seconds(929);
    expect(events).toEqual([]);
    await seconds(1);
    expect(events).toEqual(['key_removed A']);
    expect(await ring.find('A')).toBeUndefined();
  });

  test('does not wait for a timer that is late', async () => {
    const { ring } = newRing([alias(A), alias(B)]);
    await ring.active();
    await seconds(300);
    vi.setSystemTime(Date.now() + 60_000);
    expect(await ring.active()).toBe(B);
    vi.setSystemTime(Date.now() + 930_000);
    expect((await ring.all()).map(({ kid }) => kid)).toEqual(['B']);
  });

  // Another instance may sign with the old key for one refresh longer: its last token must verify here until it expires.
  test.each<[string, number | undefined, (number | undefined)[], number]>([
    ['24 hours, if neither expiresIn nor a token is known', undefined, [], 86_400],
    ['24 hours, if shorter tokens were signed', undefined, [60, 3600], 86_400],
    ['expiresIn, if no token was signed', 900, [], 900],
    ['expiresIn, if shorter tokens were signed', 900, [60], 900],
    ['as long as the longest-lived token', 60, [900, 3600, 60], 3600],
    ['24 hours, if a token never expires', 60, [60, undefined], 86_400],
  ])(
    'retires the old key by default after %s, plus a refresh interval',
    async (_, expiresIn, given, lives) => {
      const settings = { retireAfter: undefined, activationDelay: 0, expiresIn };
      const { ring, events } = newRing([alias(A), alias(B)], settings);
      await ring.active();
      for (const lifetime of given) ring.recordLifetime(lifetime);
      await seconds(300);
      events.length = 0;
      await seconds(lives + 329);
      expect(events).toEqual([]);
      await seconds(2);
      expect(events).toEqual(['key_removed A']);
    },
  );
});
