import { describe, expect, test } from 'vitest';
import { allOf, checkOf, newChecks, nextTurn, quickChecks } from './signature-checks.support.js';

/** Makes the pool slow once. */
async function relapse(all: ReturnType<typeof newChecks>) {
  void all.checks.check(checkOf('first'));
  const result = all.checks.check(checkOf('pending'));
  all.pass(6);
  await result;
  all.inPool.length = 0;
}

/** The number of quick trials until the pool is used. */
async function trialsNeeded(all: ReturnType<typeof newChecks>): Promise<number> {
  for (let count = 1; count < 1000; count += 1) {
    await all.trial();
    void all.checks.check(checkOf('first'));
    const result = all.checks.check(checkOf('second'));
    for (const job of all.inPool.splice(0)) job.answer();
    if (result instanceof Promise) return count;
  }
  throw new Error('never');
}

describe('a pool without progress for over 5 ms', () => {
  test('is given up: the main thread makes the pending checks, each once', async () => {
    const { checks, onMain, inPool, pass } = await quickChecks();
    void checks.check(checkOf('first'));
    const results = ['a', 'bad b', 'c'].map((name) => checks.check(checkOf(name)));
    // A check that was answered in time is not repeated.
    inPool[2]?.answer();
    pass(6);
    expect(await allOf(results)).toEqual([true, false, true]);
    expect(onMain).toEqual(['first', 'a', 'bad b']);

    // Late answers change nothing.
    inPool[0]?.answer(false);
    inPool[1]?.answer(true);
    expect(await allOf(results)).toEqual([true, false, true]);
    expect(checks.check(checkOf('d'))).toBe(true);
  });

  test('is not given up while it makes progress', async () => {
    const { checks, onMain, inPool, pass } = await quickChecks();
    void checks.check(checkOf('first'));
    const results = ['a', 'b', 'c'].map((name) => checks.check(checkOf(name)));
    for (const job of inPool) {
      pass(4);
      job.answer();
      pass(1);
    }
    await allOf(results);
    expect(onMain).toEqual(['first']);
  });

  test('is given up even if a pending check throws on the main thread', async () => {
    const { checks, failures, pass } = await quickChecks();
    void checks.check(checkOf('first'));
    const results = ['a', 'b'].map((name) => checks.check(checkOf(name)));
    failures.add('a');
    pass(6);
    expect(await allOf(results)).toEqual([false, true]);
  });

  test('is tried again at most every 50 ms', async () => {
    const all = await quickChecks();
    for (let time = 0; time < 2; time += 1) {
      await relapse(all);
      await all.trial();
    }
    // By now two trials are needed, and one has passed.
    const { checks, inPool, pass } = all;
    const twice = async () => {
      await nextTurn();
      void checks.check(checkOf('a'));
      void checks.check(checkOf('b'));
      return inPool.splice(0).map((job) => (job.answer(), job.name));
    };
    pass(49);
    expect(await twice()).toEqual([]);
    pass(1);
    expect(await twice()).toEqual(['b']);
  });

  test.each([
    ['of over 1 ms and more than one turn', 2, 2, false],
    ['of over 1 ms in one long turn', 30, 0, true],
    ['of several turns in 1 ms', 1, 2, true],
  ])('a trial %s (%i ms, %i turns) passes: %s', async (_, milliseconds, turns, hasPassed) => {
    const all = newChecks();
    await all.trial(milliseconds, turns);
    void all.checks.check(checkOf('first'));
    expect(all.checks.check(checkOf('a')) instanceof Promise).toBe(hasPassed);
  });

  test('needs twice as many quick trials in a row after each relapse, up to 64', async () => {
    const all = newChecks();
    const needed: number[] = [];
    for (let time = 0; time < 9; time += 1) {
      needed.push(await trialsNeeded(all));
      await relapse(all);
    }
    expect(needed).toEqual([1, 1, 2, 4, 8, 16, 32, 64, 64]);
  });

  test('needs one trial again if there was no relapse for 10 s', async () => {
    const all = newChecks();
    for (const expected of [1, 1, 2, 4]) {
      expect(await trialsNeeded(all)).toBe(expected);
      await relapse(all);
    }
    expect(await trialsNeeded(all)).toBe(8);
    all.pass(10_001);
    await relapse(all);
    expect(await trialsNeeded(all)).toBe(1);
  });

  test('counts the trials from the start after a slow one', async () => {
    const all = newChecks();
    for (let time = 0; time < 3; time += 1) {
      await trialsNeeded(all);
      await relapse(all);
    }
    for (let time = 0; time < 3; time += 1) await all.trial();
    await all.trial(2, 2);
    expect(await trialsNeeded(all)).toBe(4);
  });
});
