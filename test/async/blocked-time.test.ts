import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BlockedTime } from '../../src/async/blocked-time.js';
import { within, withDeadline } from '../../src/async/deadline.js';

const TIMEOUT = 3000;

let clock: { skipTo?: number };
let blockedTime: BlockedTime;

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  clock = {};
  blockedTime = new BlockedTime(
    () => clock.skipTo ?? performance.now(),
    (run, milliseconds) => setTimeout(run, milliseconds),
  );
});
afterEach(() => void vi.useRealTimers());

/** Advances the clock, and runs timers when they are due. */
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

/** Advances the clock as during a block of the event loop: due timers run after it. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  const fake = globalThis.setTimeout;
  const fromEnd = (run: () => void, delay: number) => fake(run, end - performance.now() + delay);
  clock.skipTo = end;
  globalThis.setTimeout = fromEnd as typeof setTimeout;
  vi.advanceTimersByTime(milliseconds);
  globalThis.setTimeout = fake;
  delete clock.skipTo;
}

/** Starts an operation with a time limit, and records its outcome. */
function start(settings: { extensionMs?: number } = {}) {
  let answer!: (answer: string) => void;
  const operation = new Promise<string>((resolve) => (answer = resolve));
  const outcome: { value?: unknown; at?: number } = {};
  const settle = (value: unknown) => Object.assign(outcome, { value, at: performance.now() });
  withDeadline(
    () => operation,
    TIMEOUT,
    (blockedMs) => new Error(within(TIMEOUT, blockedMs)),
    undefined,
    { blockedTime, ...settings },
  ).then(settle, settle);
  return { answer, outcome };
}

describe('a time limit', () => {
  test('ends an operation without an answer', async () => {
    const { outcome } = start();
    await pass(TIMEOUT - 1);
    expect(outcome.value).toBeUndefined();
    await pass(1);
    expect(outcome.value).toEqual(new Error('within 3000 ms'));
  });

  test('leaves time to read an answer that arrived while the event loop was blocked', async () => {
    const { answer, outcome } = start();
    await pass(10);
    block(5000);
    answer('answered');
    await pass(0);
    expect(outcome.value).toBe('answered');
  });

  test.each([
    ['at its start', 0, 5000],
    ['before its end', TIMEOUT - 500, 5000],
    ['in its middle', 500, 2000],
  ])('does not count a block %s', async (_, before, blocked) => {
    const { outcome } = start();
    await pass(before);
    block(blocked);
    await pass(TIMEOUT - before - 100);
    expect(outcome.value).toBeUndefined();
    await pass(200);
    expect(outcome.value).toEqual(new Error('within 3000 ms'));
  });

  test('is extended by at most its own length, and the error names the block and the remedy', async () => {
    const { outcome } = start();
    for (let count = 0; count < 4; count += 1) {
      await pass(100);
      block(5000);
    }
    expect(outcome.value).toEqual(
      new Error(
        'within 3000 ms, as this process was blocked for 10.0 s (raise its CPU limits, or find the synchronous work on its event loop with node --cpu-prof)',
      ),
    );
  });

  test('counts simulated time, even if hours pass in one step', async () => {
    const { outcome } = start();
    await pass(3_600_000);
    expect(outcome).toEqual({ value: new Error('within 3000 ms'), at: expect.any(Number) });
    expect(blockedTime.total).toBe(0);
  });
});

describe('the blocked time', () => {
  test('does not grow while timers are on time', async () => {
    blockedTime.watch();
    await pass(10_000);
    expect([blockedTime.total, blockedTime.now()]).toEqual([0, 10_000]);
  });

  test('grows while the event loop is blocked, and is not part of now()', () => {
    blockedTime.watch();
    clock.skipTo = 5000;
    expect([blockedTime.total, blockedTime.now()]).toEqual([5000, 0]);
    clock.skipTo = 6000;
    expect([blockedTime.total, blockedTime.now()]).toEqual([6000, 0]);
  });

  test('is not measured while nothing is watched', async () => {
    blockedTime.watch();
    blockedTime.unwatch();
    await pass(50);
    expect(vi.getTimerCount()).toBe(0);
    block(5000);
    blockedTime.watch();
    expect(blockedTime.total).toBe(0);
  });

  test('needs one timer for any number of watched operations', async () => {
    for (let count = 0; count < 100; count += 1) blockedTime.watch();
    await pass(1000);
    expect(vi.getTimerCount()).toBe(1);
  });

  test('is measured in the real time of the process, not in simulated time', async () => {
    const real = new BlockedTime();
    real.watch();
    await pass(3_600_000);
    expect([vi.getTimerCount(), real.total]).toEqual([0, 0]);
    real.unwatch();
  });

  test('does not keep the process alive', () => {
    vi.useRealTimers();
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    blockedTime.watch();
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(before);
    blockedTime.unwatch();
  });

  test('is measured again after its timer was cleared from outside', async () => {
    blockedTime.watch();
    vi.clearAllTimers();
    await pass(10_000);
    blockedTime.watch();
    const before = blockedTime.total;
    block(5000);
    expect(blockedTime.total - before).toBe(5000);
  });
});

describe('the recovery after a block', () => {
  test('is undefined without a long block', async () => {
    blockedTime.watch();
    expect(blockedTime.recovery).toBeUndefined();
    await pass(40);
    block(300);
    expect(blockedTime.recovery).toBeUndefined();
  });

  test('lasts several turns of the event loop', async () => {
    blockedTime.watch();
    block(5000);
    const { recovery } = blockedTime;
    expect(recovery).toBeInstanceOf(Promise);
    await nextTurn();
    expect(blockedTime.recovery).toBe(recovery);
    await recovery;
    expect(blockedTime.recovery).toBeUndefined();
  });
});
