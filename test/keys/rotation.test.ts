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
/** How long a key verifies after the alias has left it. */
const RETIREMENT = 100 + 30 + 10 + 1000;

interface Fetched {
  signing?: SigningKey;
  others: SigningKey[];
  /** The additional time that may have passed since the last fetch. */
  unexplained?: number;
}
const fetched = (signing: SigningKey, ...others: SigningKey[]): Fetched => ({ signing, others });

/** The state after fetches at these times, each answered at once. */
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
/** Lookups that are frequent enough. */
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

test('after the active key was distrusted, retired keys stay for as long as after a move', () => {
  const withoutActive = { ...EMPTY_STATE, retired: [{ key: A, leftAt: 0 }] };
  expect(partsOf(fetchAll(withoutActive, [100, fetched(C)]))).toEqual({
    active: 'C',
    next: undefined,
    retired: ['A left at 100'],
  });
});

describe('a lookup so late that the alias may have moved away and back', () => {
  const [moved, late] = [110, 200];

  test.each<[string, SigningKey, RotationState]>([
    ['the active key', B, { ...EMPTY_STATE, active: B, retired: [{ key: A, leftAt: 0 }] }],
    [
      'the next key',
      C,
      {
        ...EMPTY_STATE,
        active: B,
        next: { key: C, seenAt: 100, activatesAt: 900 },
        retired: [{ key: A, leftAt: 0 }],
      },
    ],
  ])('that shows %s keeps the retired keys for longer', (_, target, state) => {
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

describe('after the alias has moved', () => {
  const steps: [number, Fetched][] = [
    [0, fetched(A)],
    [10, fetched(B)],
  ];
  const moved = stateAfter(...steps);

  test('the new key is published at once, and signs after activationDelay', () => {
    expect(partsOf(moved)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
    expect([...keysOf(moved).keys()]).toEqual(['A', 'B']);
  });

  test('the delay counts from when the new key was first seen', () => {
    const state = stateAfter(...steps, ...lookedUp(20, 109, B));
    expect(partsOf(state)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
  });

  test('the new key is activated by a lookup that shows it, not by time alone', () => {
    expect(partsOf(afterTime(moved, TIMES, 10_000)).active).toBe('A');
    expect(partsOf(stateAfter(...steps, ...lookedUp(20, 110, B))).active).toBe('B');
  });

  test('the old key verifies for retireAfter after the last instance has stopped signing with it', () => {
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

  test('a key that was published for less than activationDelay waits for the rest', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(A, B)], [11, fetched(B, B)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
  });

  test('a key whose publication was interrupted waits from when it was published again', () => {
    const state = stateAfter([0, fetched(A, B)], [30, fetched(A)], ...lookedUp(50, 110, A, B), [
      120,
      fetched(B, B),
    ]);
    expect(partsOf(state).next).toBe('B at 150');
  });

  test('a key counts as published only with the same kid and the same public key', () => {
    for (const other of [key('b', 'B'), key('B', 'b')]) {
      const state = stateAfter(...lookedUp(0, 490, A, other), [500, fetched(B)]);
      expect(partsOf(state).next).toBe('B at 600');
    }
  });

  test('a key that appears in the configuration and at the alias in the same fetch does not count as published', () => {
    expect(partsOf(stateAfter([0, fetched(A)], [10, fetched(B, B)])).next).toBe('B at 110');
  });

  test('and moves on before the delay is over, the skipped key verifies: other instances may sign with it', () => {
    const state = stateAfter(...steps, [20, fetched(C)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'C at 120', retired: ['B left at 20'] });
  });

  test('and moves on right after an activation, the former key is retired from the second move', () => {
    const before = stateAfter(...steps, ...lookedUp(20, 110, B));
    const state = fetchAll(before, ...lookedUp(110, 130, B), [140, fetched(C)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: 'C at 240', retired: ['A left at 140'] });
  });

  test('and moves on much later, former keys retire as without the second move', () => {
    const state = stateAfter(...steps, ...lookedUp(20, 200, B), [210, fetched(C)]);
    expect(partsOf(state).retired).toEqual(['A left at 10']);
  });

  test('and moves back before the delay is over, the old key still signs', () => {
    const state = stateAfter(...steps, [20, fetched(A)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: undefined, retired: ['B left at 20'] });
  });

  test('and moves back and forth, the new key waits again: an instance may have missed the move', () => {
    const state = stateAfter(...steps, [20, fetched(A)], [30, fetched(B)]);
    expect(partsOf(state).next).toBe('B at 130');
  });

  test('and moves back after the activation, the old key waits, too: an instance may not have seen the move yet', () => {
    const state = stateAfter(...steps, ...lookedUp(20, 290, B), [300, fetched(A)]);
    expect(partsOf(state)).toMatchObject({ active: 'B', next: 'A at 400' });
    const activated = fetchAll(state, ...lookedUp(310, 400, A));
    expect(partsOf(activated)).toEqual({ active: 'A', next: undefined, retired: ['B left at 300'] });
    expect(partsOf(afterTime(activated, TIMES, 1200)).active).toBe('A');
  });
});

describe('after a move of the alias that the instance sees late', () => {
  test('the old key signs for no longer than if it had moved right after the last lookup', () => {
    const state = stateAfter([0, fetched(A)], [80, fetched(B)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'B at 130', retired: [] });
  });

  test('the new key signs at once if other instances may have stopped signing with the old one', () => {
    const state = stateAfter([0, fetched(A)], [131, fetched(B)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: undefined, retired: ['A left at 131'] });
  });

  test('the old key does not sign for longer because of a second move', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [90, fetched(C)]);
    expect(partsOf(state)).toMatchObject({ active: 'A', next: 'C at 110' });
  });

  test('the old key verifies for longer, because the alias may have moved away and back', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [200, fetched(B)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: undefined, retired: ['A left at 200'] });
  });

  test('a second move extends the retirement of the key from before the first', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], ...lookedUp(20, 130, B), [500, fetched(C)]);
    expect(partsOf(state)).toEqual({
      active: 'C',
      next: undefined,
      retired: ['A left at 500', 'B left at 500'],
    });
  });

  test('unexplained time lets no key sign earlier', () => {
    const state = stateAfter([0, fetched(A)], [10, { ...fetched(B), unexplained: 100 }]);
    expect(partsOf(state).next).toBe('B at 110');
  });

  test('unexplained time does not let a key sign earlier that was seen before', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [20, { ...fetched(B), unexplained: 1000 }]);
    expect(partsOf(state).next).toBe('B at 110');
  });
});

test('verification keys verify as long as the source has them', () => {
  const state = stateAfter([0, fetched(A, B, C)]);
  expect([...keysOf(state).keys()]).toEqual(['A', 'B', 'C']);
  expect([...keysOf(fetchAll(state, [1, fetched(A, C)])).keys()]).toEqual(['A', 'C']);
});

test('a source without a signing key supplies keys that verify', () => {
  const state = stateAfter([0, { others: [A, B] }]);
  expect(partsOf(state).active).toBeUndefined();
  expect([...keysOf(state).keys()]).toEqual(['A', 'B']);
});
