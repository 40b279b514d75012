import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RestartableTimer } from '../../src/keys/restartable-timer.js';
import { MAX_TIMER_MS } from '../../src/options/defaults.js';

const run = vi.fn<() => void>();
let timer: RestartableTimer;

beforeEach(() => {
  vi.useFakeTimers();
  run.mockClear();
  timer = new RestartableTimer(run);
});
afterEach(() => void vi.useRealTimers());

test('a restart replaces the pending run', () => {
  timer.restart(100);
  timer.restart(200);
  vi.advanceTimersByTime(199);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});

test('a delay beyond the range of setTimeout is capped instead of running at once', () => {
  timer.restart(Number.MAX_SAFE_INTEGER);
  vi.advanceTimersByTime(MAX_TIMER_MS - 1);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});

test('a stopped timer cannot be restarted', () => {
  timer.restart(100);
  timer.stop();
  timer.restart(100);
  expect(vi.getTimerCount()).toBe(0);
});
