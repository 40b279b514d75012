import { describe, expect, test } from 'vitest';
import {
  afterFetch,
  afterTime,
  EMPTY_STATE,
  type FetchedKeys,
  keysOf,
  nextChange,
  type RotationState,
} from '../../src/keys/rotation.js';
import type { SigningKey } from '../../src/keys/signing-key.js';

const key = (kid: string, x = kid) => ({ kid, keyArn: `arn:${kid}`, jwk: { kid, x } }) as SigningKey;
const [A, B, C] = [key('A'), key('B'), key('C')];
const TIMES = { activationDelay: 100, retireAfter: 1000 };
const fetched = (signing: SigningKey, ...others: SigningKey[]): FetchedKeys => ({ signing, others });

/** The state after some fetches, each at its time. */
function stateAfter(...steps: [at: number, keys: FetchedKeys][]): RotationState {
  return steps.reduce((state, [at, keys]) => afterFetch(state, keys, TIMES, at), EMPTY_STATE);
}
const partsOf = (state: RotationState) => ({
  active: state.active?.kid,
  next: state.next && `${state.next.key.kid} at ${state.next.activatesAt}`,
  retired: state.retired.map(
    ({ key: { kid }, stoppedSigningAt }) => `${kid} until ${stoppedSigningAt + TIMES.retireAfter}`,
  ),
});

test('the first key signs at once', () => {
  expect(partsOf(stateAfter([0, fetched(A)]))).toEqual({ active: 'A', next: undefined, retired: [] });
});

test('nothing changes while the alias stays', () => {
  const state = stateAfter([0, fetched(A)], [50, fetched(A)]);
  expect(partsOf(state)).toEqual({ active: 'A', next: undefined, retired: [] });
  expect(nextChange(state, TIMES)).toBe(Infinity);
});

describe('when the alias has moved', () => {
  const moved = stateAfter([0, fetched(A)], [10, fetched(B)]);

  test('the new key is published at once and signs after activationDelay', () => {
    expect(partsOf(moved)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
    expect([...keysOf(moved).keys()]).toEqual(['A', 'B']);
    expect(nextChange(moved, TIMES)).toBe(110);
    expect(partsOf(afterTime(moved, TIMES, 109)).active).toBe('A');
  });

  test('the delay counts from when it was first seen, however often it is seen again', () => {
    expect(partsOf(afterFetch(moved, fetched(B), TIMES, 60)).next).toBe('B at 110');
  });

  test('the old key verifies until retireAfter has passed since its last signature', () => {
    const activated = afterTime(moved, TIMES, 110);
    expect(partsOf(activated)).toEqual({ active: 'B', next: undefined, retired: ['A until 1110'] });
    expect([...keysOf(activated).keys()]).toEqual(['B', 'A']);
    expect(nextChange(activated, TIMES)).toBe(1110);
    expect([...keysOf(afterTime(activated, TIMES, 1109)).keys()]).toEqual(['B', 'A']);
    expect([...keysOf(afterTime(activated, TIMES, 1110)).keys()]).toEqual(['B']);
  });

  test('a key that was published for activationDelay before signs as soon as the alias moves', () => {
    const state = stateAfter([0, fetched(A, B)], [100, fetched(B, B)]);
    expect(partsOf(state)).toEqual({ active: 'B', next: undefined, retired: ['A until 1100'] });
  });

  test('a key that was published for less than that waits for the rest', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(A, B)], [11, fetched(B, B)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'B at 110', retired: [] });
    expect(partsOf(afterTime(state, TIMES, 110)).active).toBe('B');
  });

  test('a key that was not published all the time waits from when it was published again', () => {
    const state = stateAfter([0, fetched(A, B)], [50, fetched(A)], [90, fetched(A, B)], [120, fetched(B, B)]);
    expect(partsOf(state).next).toBe('B at 190');
  });

  test('a key that was published under another kid, or another key under its kid, is not known', () => {
    expect(partsOf(stateAfter([0, fetched(A, key('b', 'B'))], [500, fetched(B)])).next).toBe('B at 600');
    expect(partsOf(stateAfter([0, fetched(A, key('B', 'b'))], [500, fetched(B)])).next).toBe('B at 600');
  });

  test('the delay that counts is the one that is configured now', () => {
    const state = stateAfter([0, fetched(A, B)]);
    expect(partsOf(afterFetch(state, fetched(B, B), { ...TIMES, activationDelay: 5 }, 10)).active).toBe('B');
  });

  test('a key that appears in the configuration and at the alias in one fetch was not known before', () => {
    expect(partsOf(stateAfter([0, fetched(A)], [10, fetched(B, B)])).next).toBe('B at 110');
  });

  test('and moves on before the delay is over, the skipped key verifies all the same', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [20, fetched(C)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: 'C at 120', retired: ['B until 1020'] });
  });

  test('and moves back before the delay is over, the old key goes on', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [20, fetched(A)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: undefined, retired: ['B until 1020'] });
  });

  test('and moves back and there again, the new key signs when all know it, as if it had stayed', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [20, fetched(A)], [30, fetched(B)]);
    expect(partsOf(state).next).toBe('B at 110');
    expect(partsOf(afterTime(state, TIMES, 110))).toEqual({
      active: 'B',
      next: undefined,
      retired: ['A until 1110'],
    });
  });

  test('and moves back afterwards, the old key signs at once, as all know it, and retires no more', () => {
    const state = stateAfter([0, fetched(A)], [10, fetched(B)], [200, fetched(B)], [300, fetched(A)]);
    expect(partsOf(state)).toEqual({ active: 'A', next: undefined, retired: ['B until 1300'] });
    expect(partsOf(afterTime(state, TIMES, 1200))).toEqual({
      active: 'A',
      next: undefined,
      retired: ['B until 1300'],
    });
  });

  test('time that passes in one step does all that was due', () => {
    expect(partsOf(afterFetch(moved, fetched(C), TIMES, 500))).toEqual({
      active: 'B',
      next: 'C at 600',
      retired: ['A until 1500'],
    });
  });
});

test('others verify as long as the source has them', () => {
  const state = stateAfter([0, fetched(A, B, C)]);
  expect([...keysOf(state).keys()]).toEqual(['A', 'B', 'C']);
  expect([...keysOf(afterFetch(state, fetched(A, C), TIMES, 1)).keys()]).toEqual(['A', 'C']);
});

test('a source without a key that signs gives keys that verify', () => {
  const state = stateAfter([0, { others: [A, B] }]);
  expect(partsOf(state).active).toBeUndefined();
  expect([...keysOf(state).keys()]).toEqual(['A', 'B']);
});
