import { describe, expect, test } from 'vitest';
import { allOf, checkOf, newChecks, nextTurn, quickChecks } from './signature-checks.support.js';

describe('room()', () => {
  test('admits 64 checks per turn on the main thread, then the next ones in order', async () => {
    const { checks } = newChecks();
    const order: number[] = [];
    const perTurn: number[] = [];
    const calls = Array.from({ length: 200 }, async (_, index) => {
      if (!checks.mayRead()) await checks.room();
      void checks.check(checkOf('a'));
      order.push(index);
    });
    while (order.length < 200) {
      perTurn.push(order.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(calls);
    expect(order).toEqual(Array.from({ length: 200 }, (_, index) => index));
    const growth = perTurn.map((count, index) => count - (perTurn[index - 1] ?? 0));
    expect(Math.max(...growth)).toBe(64);
  });

  test('admits 64 checks in the pool, and another one as each ends', async () => {
    const { checks, inPool } = await quickChecks();
    let entered = 0;
    const calls = Array.from({ length: 70 }, async () => {
      if (!checks.mayRead()) await checks.room();
      entered += 1;
      await checks.check(checkOf('a'));
    });
    await nextTurn();
    const before = entered;
    expect(inPool).toHaveLength(64);
    inPool[0]?.answer();
    await nextTurn();
    expect(entered).toBe(before + 1);
    for (const job of inPool.slice(1)) job.answer();
    await nextTurn();
    for (const job of inPool.slice(64)) job.answer();
    await Promise.all(calls);
    expect(entered).toBe(70);
  });

  test('admits waiting calls before new ones', async () => {
    const { checks } = newChecks();
    for (let index = 0; index < 64; index += 1) expect(checks.mayRead()).toBe(true);
    const waits = checks.room();
    expect(checks.mayRead()).toBe(false);
    await waits;
    expect(checks.mayRead()).toBe(true);
  });

  test('admits all waiting calls, even if the admitted ones make no check', async () => {
    const { checks, inPool } = await quickChecks();
    void checks.check(checkOf('first'));
    const results = Array.from({ length: 64 }, () => checks.check(checkOf('a')));
    let admitted = 0;
    const waiting = Array.from({ length: 300 }, async () => {
      await checks.room();
      admitted += 1;
    });
    await nextTurn();
    for (const job of inPool) job.answer();
    await allOf(results);
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    expect(admitted).toBe(300);
    await Promise.all(waiting);
  });

  test('admits all waiting calls when the pool is given up', async () => {
    const { checks, pass } = await quickChecks();
    void checks.check(checkOf('first'));
    const results = Array.from({ length: 64 }, () => checks.check(checkOf('a')));
    const waiting = Array.from({ length: 300 }, () => checks.room());
    await nextTurn();
    pass(6);
    await allOf(results);
    await Promise.all(waiting);
    expect(checks.mayRead()).toBe(true);
  });
});

test('1,000 known tokens are answered per turn, without waiting for tokens that have to be read', async () => {
  const { checks } = newChecks();
  for (let at = 0; at < 1000; at += 1) expect(checks.mayAnswerKnown()).toBe(true);
  expect(checks.mayAnswerKnown()).toBe(false);
  await checks.room();
  expect(checks.mayAnswerKnown()).toBe(true);
});

test('admitted calls count for their turn', async () => {
  const { checks } = newChecks();
  const rooms = Array.from({ length: 64 }, () => checks.room());
  await rooms[0];
  expect(checks.mayRead()).toBe(false);
});
