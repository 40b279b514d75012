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

test('it is the time of the wall clock while that goes right', () => {
  pass(HOUR);
  expect(elapsed.now()).toBe(start + HOUR);
  expect(elapsed.nowByAllClocks()).toBe(start + HOUR);
  expect(elapsed.wallAhead).toBe(0);
  expect(steps).toEqual([]);
});

test.each([
  ['ahead', DAY],
  ['back', -DAY],
])('the wall clock is set %s by a day: that is reported, and no time has passed', (_, by) => {
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

test('each step is reported once', () => {
  machine.step = DAY;
  elapsed.now();
  elapsed.now();
  elapsed.nowByAllClocks();
  expect(steps).toHaveLength(1);
});

test('slow corrections of the wall clock never add up to a step', () => {
  for (let hour = 0; hour < 24; hour += 1) {
    pass(HOUR);
    machine.step += 0.0005 * HOUR;
    elapsed.now();
  }
  expect(elapsed.now()).toBe(start + DAY);
  expect(elapsed.wallAhead).toBe(0.0005 * DAY);
  expect(steps).toEqual([]);
});

test('short suspensions do', () => {
  for (let count = 0; count < 5; count += 1) {
    pass(1000);
    freeze('suspended', 2000);
    elapsed.now();
  }
  expect(elapsed.nowByAllClocks()).toBeGreaterThan(start + 5000 + 5900);
  expect(steps).not.toEqual([]);
});

test('a process that was stopped has missed nothing: its clocks went on', () => {
  freeze('stopped', HOUR);
  expect(elapsed.now()).toBe(start + HOUR);
  expect(steps).toEqual([]);
});

describe('the machine was suspended, and the monotonic clock stood still', () => {
  test('as the wall clock and uptime agree: that time has passed', () => {
    freeze('suspended', HOUR);
    expect(elapsed.now()).toBe(start + HOUR);
    expect(elapsed.wallAhead).toBe(0);
    expect(steps).toEqual([{ wall: HOUR, suspended: HOUR, unexplained: 0, at: start + HOUR }]);
  });

  test('as only the wall clock shows: that may as well have been set', () => {
    freeze('paused', HOUR);
    expect(elapsed.nowByAllClocks()).toBe(start);
    expect(elapsed.wallAhead).toBe(HOUR);
    expect(steps).toEqual([{ wall: HOUR, suspended: 0, unexplained: HOUR, at: start }]);
  });

  test('as only uptime shows, since the wall clock was set back: uptime may as well be wrong', () => {
    freeze('suspended', HOUR);
    machine.step = -HOUR;
    expect(elapsed.now()).toBe(start);
    expect(steps).toEqual([]);
    expect(elapsed.nowByAllClocks()).toBe(start);
    expect(steps).toEqual([{ wall: 0, suspended: 0, unexplained: HOUR, at: start }]);
  });

  test('for longer than uptime says: the rest is doubt', () => {
    freeze('suspended', HOUR);
    freeze('paused', HOUR);
    expect(elapsed.now()).toBe(start + HOUR);
    expect(steps).toEqual([{ wall: 2 * HOUR, suspended: HOUR, unexplained: HOUR, at: start + HOUR }]);
  });
});

test('where uptime is not known, the wall clock alone shows a suspension', () => {
  machine.uptime = () => NaN;
  elapsed = new ElapsedTime(machine, (step) => steps.push(step));
  freeze('suspended', HOUR);
  expect(elapsed.nowByAllClocks()).toBe(start);
  expect(steps).toEqual([{ wall: HOUR, suspended: 0, unexplained: HOUR, at: start }]);
});
