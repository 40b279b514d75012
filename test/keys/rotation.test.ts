import { describe, expect, test } from 'vitest';
import {
  afterFetch,
  afterTime,
  EMPTY_STATE,
  keysOf,
  nextChange,
  type RotationState,
} from '../../src/keys/rotation.js';
import type { SigningKey } from '../../src/keys/signing-key.js';

const key = (kid: string, x = kid) => ({ kid, keyArn: `arn:${kid}`, thumbprint: x }) as SigningKey;
const [A, B, C] = [key('A'), key('B'), key('C')];
const TIMES = { activationDelay: 100, lookupInterval: 30, propagation: 10, retireAfter: 1000 };
/** For how long a key verifies after the alias has left it. */
const RETIREMENT = 100 + 30 + 10 + 1000;

interface Fetched {
  signing?: SigningKey;
  others: SigningKey[];
  /** How much more time may have passed since the last fetch. */
  unexplained?: number;
}
const fetched = (signing: SigningKey, ...others: SigningKey[]): Fetched => ({ signing, others });

/** Fetches at their times, each answered at once. */
function fetchAll(from: RotationState, ...steps: [at: number, keys: Fetched][]): RotationState {
  let lastAt = steps[0]?.[0] ?? 0;
  return steps.reduce((state, [now, { signing, others, unexplained = 0 }]) => {
    const lookup = signing && {
      target: signing,
      now,
      seenAt: now,
      lastAt,
      unexplained,
    };
    lastAt = now;
    return afterFetch(state, others, lookup, TIMES, now);
  }, from);
}
const stateAfter = (...steps: [at: number, keys: Fetched][]) => fetchAll(EMPTY_STATE, ...steps);
/** The alias is looked up often enough. */
const lookedUp = (from: number, to: number, ...keys: Parameters<typeof fetched>): [number, Fetched][] =>
  Array.from({ length: Math.ceil((to - from) / 30) + 1 }, (_, index) => [
    Math.min(from + index * 30, to),
    fetched(...keys),
  ]);
const partsOf = (state: RotationState) => ({
  active: state.active?.kid,
  next: state.next && `${state.next.key.kid} at ${state.next.activatesAt}`,
  retired: state.retired.map(({ key: { kid }, leftAt }) => `${kid} left at ${leftAt}`),
});

test('the first key signs at once', () => {
  expect(partsOf(stateAfter([0, fetched(A)]))).toEqual({ active: 'A', next: undefined, retired: [] });
});

test('where the active key was distrusted, the retired ones stay for as long as after a move', () => {
  const withoutActive = { ...EMPTY_STATE, retired: [{ key: A, leftAt: 0 }] };
  expect(partsOf(fetchAll(withoutActive, [100, fetched(C)]))).toEqual({
    active: 'C',
    next: undefined,
    retired: ['A left at 100'],
  });
});

describe('a look-up so late that the alias may have moved away and back', () => {
  const [moved, late] = [110, 200];

  test.each<[string, SigningKey, RotationState]>([
    ['to the active key', B, { ...EMPTY_STATE, active: B, retired: [{ key: A, leftAt: 0 }] }],
    [
      'to the next key',
      C,
      {
        ...EMPTY_STATE,
        active: B,
        next: { key: C, seenAt: 100, activatesAt: 900 },
        retired: [{ key: A, leftAt: 0 }],
      },
    ],
  ])('%s keeps the retired keys for longer', (_, target, state) => {
    expect(partsOf(fetchAll(state, [moved, fetched(target)])).retired).toEqual(['A left at 0']);
    expect(partsOf(fetchAll(state, [moved, fetched(target)], [late, fetched(target)])).retired).toEqual([
      `A left at ${late}`,
    ]);
  });
});

test('nothing changes while the alias stays', () => {
  const state = stateAfter([0, fetched(A)], [30, fetched(A)]);
  expect(partsOf(state)).toEqual({ active: 'A', next: undefined, retired: [] });
  expect(nextChange(state, TIMES)).toBe(Infinity);
});

describe('when the alias has moved', () => {
  const steps: [number, Fetched][] = [
    [0, fetched(A)],
    [10, fetched(B)],
  ];
  const moved = stateAfter(...steps);

  test('the new key is published at once, and signs after activationDelay', () => {
    expect(partsOf(moved)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
    expect([...keysOf(moved).keys()]).toEqual(['A', 'B']);
  });

  test('the delay counts from when it was first seen, however often it is seen again', () => {
    const state = stateAfter(...steps, ...lookedUp(20, 109, B));
    expect(partsOf(state)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
  });

  test('time alone activates nothing: a look-up does, which shows that the alias has not moved on', () => {
    expect(partsOf(afterTime(moved, TIMES, 10_000)).active).toBe('A');
    expect(partsOf(stateAfter(...steps, ...lookedUp(20, 110, B))).active).toBe('B');
  });

  test('the old key verifies until the last instance has stopped to sign with it, and for retireAfter', () => {
    const activated = stateAfter(...steps, ...lookedUp(20, 125, B));
    expect(partsOf(activated)).toEqual({ active: 'B', next: undefined, retired: ['A left at 10'] });
    expect([...keysOf(activated).keys()]).toEqual(['B', 'A']);
    expect(nextChange(activated, TIMES)).toBe(10 + RETIREMENT);
    expect([...keysOf(afterTime(activated, TIMES, 9 + RETIREMENT)).keys()]).toEqual(['B', 'A']);
    expect([...keysOf(afterTime(activated, TIMES, 10 + RETIREMENT)).keys()]).toEqual(['B']);
  });

  test('a key that was published for activationDelay before signs as soon as the alias moves', () => {
    const state = stateAfter(...lookedUp(0, 90, A, B), [100, fetched(B, B)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: undefined, retired: ['A left at 100'] });
  });

  test('a key that was published for less than that waits for the rest', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(A, B)], [11, fetched(B, B)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
  });

  test('a key that was not published all the time waits from when it was published again', () => {
    const state = stateAfter([0, fetched(A, B)], [30, fetched(A)], ...lookedUp(50, 110, A, B), [
      120,
      fetched(B, B),
    ]);
    expect(partsOf(state).next).toBe('B at 150');
  });

  test('a key that was published under another kid, or another key under its kid, is not known', () => {
    for (const other of [key('b', 'B'), key('B', 'b')]) {
      const state = stateAfter(...lookedUp(0, 490, A, other), [500, fetched(B)]);
      expect(partsOf(state).next).toBe('B at 600');
    }
  });

  test('a key that appears in the configuration and at the alias in one fetch was not known before', () => {
    expect(partsOf(stateAfter([0, fetched(A)], [10, fetched(B, B)])).next).toBe('B at 110');
  });

  test('and moves on before the delay is over, the skipped key verifies: others may have taken it', () => {
    const state = stateAfter(...steps, [20, fetched(C)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'C at 120', retired: ['B left at 20'] });
  });

  test('and moves on, a key that still signs where the last one was skipped verifies for as long as there', () => {
    const before = stateAfter(...steps, ...lookedUp(20, 110, B));
    const state = fetchAll(before, ...lookedUp(110, 130, B), [140, fetched(C)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: 'C at 240', retired: ['A left at 140'] });
  });

  test('and moves on much later, former keys retire as they would have', () => {
    const state = stateAfter(...steps, ...lookedUp(20, 200, B), [210, fetched(C)]);
    expect(partsOf(state).retired).toEqual(['A left at 10']);
  });

  test('and moves back before the delay is over, the old key goes on', () => {
    const state = stateAfter(...steps, [20, fetched(A)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: undefined, retired: ['B left at 20'] });
  });

  test('and moves back and there again, the new key waits anew: an instance may have missed it', () => {
    const state = stateAfter(...steps, [20, fetched(A)], [30, fetched(B)]);
    expect(partsOf(state).next).toBe('B at 130');
  });

  test('and moves back afterwards, the old key waits too: an instance may not see that it is back', () => {
    const state = stateAfter(...steps, ...lookedUp(20, 290, B), [300, fetched(A)]);
    expect(partsOf(state)).toMatchObject({ active: 'B', next: 'A at 400' });
    const activated = fetchAll(state, ...lookedUp(310, 400, A));
    expect(partsOf(activated)).toEqual({ active: 'A', next: undefined, retired: ['B left at 300'] });
    expect(partsOf(afterTime(activated, TIMES, 1200)).active).toBe('A');
  });
});

describe('when the alias has moved, and this instance sees it late', () => {
  test('the old key signs for no longer than if it had moved right after the last look-up', () => {
    const state = stateAfter([0, fetched(A)], [80, fetched(B)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'B at 130', retired: [] });
  });

  test('the new key signs at once if the others may have given the old one up', () => {
    const state = stateAfter([0, fetched(A)], [131, fetched(B)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: undefined, retired: ['A left at 131'] });
  });

  test('a second move is no reason for the old key to sign for longer', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [90, fetched(C)]);
    expect(partsOf(state)).toMatchObject({ active: 'A', next: 'C at 110' });
  });

  test('the old key verifies for longer: the alias may have moved away and back meanwhile', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [200, fetched(B)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: undefined, retired: ['A left at 200'] });
  });

  test('a second move in the meantime extends the retirement of the key from before the first', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], ...lookedUp(20, 130, B), [500, fetched(C)]);
    expect(partsOf(state)).toEqual({
      active: 'C',
      next: undefined,
      retired: ['A left at 500', 'B left at 500'],
    });
  });

  test('time that the clocks do not agree on makes no key sign earlier', () => {
    const state = stateAfter([0, fetched(A)], [10, { ...fetched(B), unexplained: 100 }]);
    expect(partsOf(state).next).toBe('B at 110');
  });

  test('a key that was seen before does not sign earlier because of it', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [20, { ...fetched(B), unexplained: 1000 }]);
    expect(partsOf(state).next).toBe('B at 110');
  });
});

test('others verify as long as the source has them', () => {
  const state = stateAfter([0, fetched(A, B, C)]);
  expect([...keysOf(state).keys()]).toEqual(['A', 'B', 'C']);
  expect([...keysOf(fetchAll(state, [1, fetched(A, C)])).keys()]).toEqual(['A', 'C']);
});

test('a source without a key that signs gives keys that verify', () => {
  const state = stateAfter([0, { others: [A, B] }]);
  expect(partsOf(state).active).toBeUndefined();
  expect([...keysOf(state).keys()]).toEqual(['A', 'B']);
});
