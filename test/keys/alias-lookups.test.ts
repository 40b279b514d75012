import type { KmsJwtEvent } from 'nestjs-kms-jwt';
import { beforeEach, describe, expect, test } from 'vitest';
import { AliasLookups } from '../../src/keys/alias-lookups.js';
import { Machine, SimulatedTime } from '../fleet/time.js';
import { A, B } from './support.js';

const HOUR = 3_600_000;
const MAX_AGE = 330_000;

let machine: Machine;
let lookups: AliasLookups;
let events: KmsJwtEvent[];
let start: number;

beforeEach(() => {
  machine = new Machine(new SimulatedTime(), 0, 0);
  events = [];
  lookups = new AliasLookups(machine, (event) => events.push(event));
  start = machine.now();
  lookups.answered(start, true);
});

const pass = (milliseconds: number) => (machine.time.now += milliseconds);
function freeze(how: 'stopped' | 'suspended' | 'paused', milliseconds: number) {
  machine.freeze(how);
  pass(milliseconds);
  machine.thaw();
}

test('a lookup is fresh until its maximum age, counted from when it was sent', () => {
  expect(lookups.isFresh(MAX_AGE)).toBe(true);
  pass(MAX_AGE);
  expect(lookups.isFresh(MAX_AGE)).toBe(true);
  pass(1);
  expect(lookups.isFresh(MAX_AGE)).toBe(false);
  lookups.answered(lookups.now() - MAX_AGE, true);
  expect(lookups.isFresh(MAX_AGE)).toBe(true);
  pass(1);
  expect(lookups.isFresh(MAX_AGE)).toBe(false);
});

test('no lookup is fresh before the first', () => {
  expect(new AliasLookups(machine, () => {}).isFresh(MAX_AGE)).toBe(false);
});

test('of two lookups, the one sent later counts, even if it is answered first', () => {
  pass(2000);
  lookups.answered(start + 2000, true);
  lookups.answered(start + 1000, true);
  expect(lookups.lastAt).toBe(start + 2000);
});

describe('after Sign has shown an unknown key', () => {
  beforeEach(() => {
    pass(1000);
    lookups.moved(B.keyArn);
    pass(1000);
  });

  test('no lookup is fresh until the key is fetched', () => {
    expect(lookups.isFresh(MAX_AGE)).toBe(false);
    expect(lookups.unknownTarget).toBe(B.keyArn);
    lookups.answered(start + 2000, false);
    expect(lookups.isFresh(MAX_AGE)).toBe(true);
    expect(lookups.unknownTarget).toBeUndefined();
  });

  test('the key counts as seen since the first time that Sign has shown it', () => {
    lookups.moved(B.keyArn);
    expect(lookups.lookupOf(B)).toMatchObject({ seenAt: start + 1000, now: start + 2000, lastAt: start });
    expect(lookups.lookupOf(A)).toMatchObject({ seenAt: start + 2000, now: start + 2000 });
  });
});

describe('after a clock has jumped ahead', () => {
  test.each([
    ['because the wall clock was set', () => (machine.step = HOUR), 0],
    ['because of a suspension that uptime shows', () => freeze('suspended', HOUR), 3600],
    ['because of a suspension that only the wall clock shows', () => freeze('paused', HOUR), 0],
  ])('%s, no earlier lookup is fresh', (_, jump, suspended) => {
    pass(1000);
    jump();
    expect(lookups.isFresh(Infinity)).toBe(false);
    expect(events).toEqual([{ type: 'clock_stepped', seconds: 3600, suspended }]);
    expect(lookups.takeJump()).toBe(true);
    expect(lookups.takeJump()).toBe(false);
    lookups.answered(lookups.now(), true);
    expect(lookups.isFresh(MAX_AGE)).toBe(true);
  });

  test('a lookup that was sent before the jump and answered after it is not fresh', () => {
    pass(1000);
    const sentAt = lookups.now();
    pass(1000);
    machine.step = HOUR;
    lookups.isFresh(MAX_AGE);
    lookups.answered(sentAt, true);
    expect(lookups.isFresh(MAX_AGE)).toBe(false);
  });

  test('if only the wall clock shows it, that time may have passed until the active key is seen again', () => {
    freeze('paused', HOUR);
    expect(lookups.now()).toBe(start);
    expect(lookups.latestNow()).toBe(start + HOUR);
    expect(lookups.lookupOf(B)).toMatchObject({ now: start, unexplained: HOUR });
    lookups.answered(lookups.now(), false);
    expect(lookups.latestNow()).toBe(start + HOUR);
    lookups.answered(lookups.now(), true);
    expect(lookups.latestNow()).toBe(start);
  });

  test('no time is unexplained if it jumps back', () => {
    machine.step = HOUR;
    lookups.now();
    machine.step = 0;
    lookups.now();
    expect(lookups.latestNow()).toBe(start);
  });

  test('a larger jump back does not explain the time', () => {
    machine.step += 10 * HOUR;
    lookups.now();
    lookups.answered(lookups.now(), true);
    freeze('paused', HOUR);
    expect(lookups.latestNow()).toBe(start + HOUR);
    machine.step -= 10 * HOUR;
    expect(lookups.latestNow()).toBe(start + HOUR);
  });
});

test('a lookup stays fresh when the clock is set back', () => {
  machine.step = -HOUR;
  expect(lookups.isFresh(MAX_AGE)).toBe(true);
  expect(lookups.takeJump()).toBe(false);
  expect(events).toEqual([{ type: 'clock_stepped', seconds: -3600, suspended: 0 }]);
});
