import { finalize, interval, map, type Observable } from 'rxjs';
import { expect } from 'vitest';

/**
 * A time in the future, in whole seconds, for `exp`.
 *
 * @param least the least distance in seconds; at most one more. Concurrent tests need 2, as each has to connect first.
 */
export function soon(least = 1): number {
  return Math.ceil(Date.now() / 1000) + least;
}

export const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const secondsSince = (exp: number) => Date.now() / 1000 - exp;

export function expectEndWithinASecondOf(exp: number) {
  expect(secondsSince(exp)).toBeGreaterThanOrEqual(-0.05);
  expect(secondsSince(exp)).toBeLessThan(1);
}

/** Observables that emit until they are stopped, and are counted as long as they run. */
export function newProducers() {
  const producers = new Set<object>();
  return {
    produce(): Observable<{ data: string; sub: string }> {
      const producer = {};
      producers.add(producer);
      return interval(20).pipe(
        map(() => ({ data: 'x', sub: 'x' })),
        finalize(() => producers.delete(producer)),
      );
    },
    get count() {
      return producers.size;
    },
    /** How many still run, once they have had a second to stop. */
    async running() {
      const deadline = Date.now() + 1000;
      while (producers.size > 0 && Date.now() < deadline) await nap(10);
      return producers.size;
    },
  };
}

export type Producers = ReturnType<typeof newProducers>;
