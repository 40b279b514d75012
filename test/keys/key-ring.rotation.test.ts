import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SYSTEM_CLOCK } from '../../src/keys/clock.js';
import { A, alias, B, C, newRing, seconds } from './support.js';

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
    // retireAfter and activationDelay, and twice the time until every instance sees the move.
    await seconds(1259);
    expect(events).toEqual([]);
    await seconds(1);
    expect(events).toEqual(['key_removed A']);
    expect(await ring.find('A')).toBeUndefined();
  });

  test('does not depend on timers', async () => {
    const { ring } = newRing([alias(A), alias(B)], { clock: { ...SYSTEM_CLOCK, schedule: () => () => {} } });
    await ring.active();
    await seconds(300);
    await ring.refresh();
    await seconds(60);
    await ring.refresh();
    expect(await ring.active()).toBe(B);
    await seconds(1260);
    expect((await ring.all()).map(({ kid }) => kid)).toEqual(['B']);
  });

  // Another instance may sign with the old key until it sees the move: its last token must verify until it expires.
  test.each<[string, number | undefined, (number | undefined)[], number]>([
    ['24 hours, if neither expiresIn nor a token is known', undefined, [], 86_400],
    ['24 hours, if shorter tokens were signed', undefined, [60, 3600], 86_400],
    ['expiresIn, if no token was signed', 900, [], 900],
    ['expiresIn, if shorter tokens were signed', 900, [60], 900],
    ['the longest lifetime of a token', 60, [900, 3600, 60], 3600],
    ['24 hours, if a token never expires', 60, [60, undefined], 86_400],
  ])(
    'retires the old key by default after %s, plus the time until every instance sees the move',
    async (_, expiresIn, given, lives) => {
      const settings = { retireAfter: undefined, activationDelay: 0, expiresIn };
      const { ring, events } = newRing([alias(A), alias(B)], settings);
      await ring.active();
      for (const lifetime of given) ring.recordLifetime(lifetime);
      await seconds(300);
      events.length = 0;
      await seconds(lives + 629);
      expect(events).toEqual([]);
      await seconds(2);
      expect(events).toEqual(['key_removed A']);
    },
  );
});

/** The number of seconds until the former key is removed; `show` may make lookups after 660 seconds. */
const untilRemoval = async (show: (ring: ReturnType<typeof newRing>) => void) => {
  const started = newRing([alias(A), alias(B)]);
  await started.ring.active();
  await seconds(660);
  expect(await started.kids()).toEqual(['B', 'A']);
  show(started);
  let passed = 660;
  for (; (await started.kids()).includes('A'); passed += 30) await seconds(30);
  await started.ring.stop();
  return passed;
};

test('a move to an unknown key that Sign shows keeps the retired keys for longer', async () => {
  const unmoved = await untilRemoval(() => {});
  const moved = await untilRemoval(({ keys }) => {
    expect(keys.recordTarget(C.keyArn, keys.lookups.now())).toBe(false);
    expect(keys.recordTarget(C.keyArn, keys.lookups.now())).toBe(false);
  });
  expect(moved - unmoved).toBe(360);
});
