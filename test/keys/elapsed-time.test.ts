import { beforeEach, describe, expect, test } from 'vitest';
import { type ClockStep, ElapsedTime } from '../../src/keys/elapsed-time.js';
import { Machine, SimulatedTime } from '../fleet/time.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let machine: Machine;
let elapsed: ElapsedTime;
let steps: ClockStep[];
let start: number;

beforeEach(() => {
  machine = new Machine(new SimulatedTime(), 0, 0);
  steps = [];
  elapsed = new ElapsedTime(machine, (step) => steps.push(step));
  start = machine.now();
});

const pass = (milliseconds: number) => (machine.time.now += milliseconds);
function freeze(how: 'stopped' | 'suspended' | 'paused', milliseconds: number) {
  machine.freeze(how);
  pass(milliseconds);
  machine.thaw();
}

test('follows the wall clock while that is right', () => {
  pass(HOUR);
  expect(elapsed.now()).toBe(start + HOUR);
  expect(elapsed.nowByAllClocks()).toBe(start + HOUR);
  expect(elapsed.wallAhead).toBe(0);
  expect(steps).toEqual([]);
});

test.each([
  ['ahead', DAY],
  ['back', -DAY],
])('does not follow a wall clock that is set %s by a day, and reports the step', (_, by) => {
  machine.step = by;
  pass(1000);
  expect(elapsed.now()).toBe(start + 1000);
  expect(elapsed.wallAhead).toBe(by);
  expect(steps).toEqual([{ wall: by, suspended: 0, unexplained: by, at: start + 1000 }]);

  machine.step = 0;
  pass(1000);
  expect(elapsed.now()).toBe(start + 2000);
  expect(elapsed.wallAhead).toBe(0);
  expect(steps.slice(1)).toEqual([{ wall: -by, suspended: 0, unexplained: -by, at: start + 2000 }]);
});

test('reports each step once', () => {
  machine.step = DAY;
  elapsed.now();
  elapsed.now();
  elapsed.nowByAllClocks();
  expect(steps).toHaveLength(1);
});

test('never reports slow corrections of the wall clock as a step', () => {
  for (let hour = 0; hour < 24; hour += 1) {
    pass(HOUR);
    machine.step += 0.0005 * HOUR;
    elapsed.now();
  }
  expect(elapsed.now()).toBe(start + DAY);
  expect(elapsed.wallAhead).toBe(0.0005 * DAY);
  expect(steps).toEqual([]);
});

test('reports short suspensions as a step once they add up', () => {
  for (let count = 0; count < 5; count += 1) {
    pass(1000);
    freeze('suspended', 2000);
    elapsed.now();
  }
  expect(elapsed.nowByAllClocks()).toBeGreaterThan(start + 5000 + 5900);
  expect(steps).not.toEqual([]);
});

test('includes the time in which the process was stopped', () => {
  freeze('stopped', HOUR);
  expect(elapsed.now()).toBe(start + HOUR);
  expect(steps).toEqual([]);
});

describe('a suspension in which the monotonic clock stood still', () => {
  test('counts if the wall clock and uptime agree', () => {
    freeze('suspended', HOUR);
    expect(elapsed.now()).toBe(start + HOUR);
    expect(elapsed.wallAhead).toBe(0);
    expect(steps).toEqual([{ wall: HOUR, suspended: HOUR, unexplained: 0, at: start + HOUR }]);
  });

  test('is unexplained time if only the wall clock shows it, which may have been set', () => {
    freeze('paused', HOUR);
    expect(elapsed.nowByAllClocks()).toBe(start);
    expect(elapsed.wallAhead).toBe(HOUR);
    expect(steps).toEqual([{ wall: HOUR, suspended: 0, unexplained: HOUR, at: start }]);
  });

  test('is unexplained time if only uptime shows it, which may be wrong', () => {
    freeze('suspended', HOUR);
    machine.step = -HOUR;
    expect(elapsed.now()).toBe(start);
    expect(steps).toEqual([]);
    expect(elapsed.nowByAllClocks()).toBe(start);
    expect(steps).toEqual([{ wall: 0, suspended: 0, unexplained: HOUR, at: start }]);
  });

  test('is unexplained time as far as it is longer than uptime shows', () => {
    freeze('suspended', HOUR);
    freeze('paused', HOUR);
    expect(elapsed.now()).toBe(start + HOUR);
    expect(steps).toEqual([{ wall: 2 * HOUR, suspended: HOUR, unexplained: HOUR, at: start + HOUR }]);
  });
});

test('a suspension is unexplained time if uptime is unknown', () => {
  machine.uptime = () => NaN;
  elapsed = new ElapsedTime(machine, (step) => steps.push(step));
  freeze('suspended', HOUR);
  expect(elapsed.nowByAllClocks()).toBe(start);
  expect(steps).toEqual([{ wall: HOUR, suspended: 0, unexplained: HOUR, at: start }]);
});
