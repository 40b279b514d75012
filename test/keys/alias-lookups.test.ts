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

test('a look-up is fresh until it is too old, counted from when it was sent', () => {
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

test('none is fresh before the first', () => {
  expect(new AliasLookups(machine, () => {}).isFresh(MAX_AGE)).toBe(false);
});

test('of two look-ups, the one that was sent later counts, whichever is answered first', () => {
  pass(2000);
  lookups.answered(start + 2000, true);
  lookups.answered(start + 1000, true);
  expect(lookups.lastAt).toBe(start + 2000);
});

describe('Sign has shown a key that is not known', () => {
  beforeEach(() => {
    pass(1000);
    lookups.moved(B.keyArn);
    pass(1000);
  });

  test('then no look-up is fresh until it is fetched', () => {
    expect(lookups.isFresh(MAX_AGE)).toBe(false);
    expect(lookups.unknownTarget).toBe(B.keyArn);
    lookups.answered(start + 2000, false);
    expect(lookups.isFresh(MAX_AGE)).toBe(true);
    expect(lookups.unknownTarget).toBeUndefined();
  });

  test('and it counts as seen since then, however often Sign shows it again', () => {
    lookups.moved(B.keyArn);
    expect(lookups.lookupOf(B)).toMatchObject({ seenAt: start + 1000, now: start + 2000, lastAt: start });
    expect(lookups.lookupOf(A)).toMatchObject({ seenAt: start + 2000, now: start + 2000 });
  });
});

describe('a clock has jumped ahead', () => {
  test.each([
    ['as the wall clock was set', () => (machine.step = HOUR), 0],
    ['as the machine was suspended, which uptime shows', () => freeze('suspended', HOUR), 3600],
    ['as the machine was suspended, which only the wall clock shows', () => freeze('paused', HOUR), 0],
  ])('%s: no look-up from before is fresh', (_, jump, suspended) => {
    pass(1000);
    jump();
    expect(lookups.isFresh(Infinity)).toBe(false);
    expect(events).toEqual([{ type: 'clock_stepped', seconds: 3600, suspended }]);
    expect(lookups.takeJump()).toBe(true);
    expect(lookups.takeJump()).toBe(false);
    lookups.answered(lookups.now(), true);
    expect(lookups.isFresh(MAX_AGE)).toBe(true);
  });

  test('a look-up that was sent before, and answered after, is not fresh', () => {
    pass(1000);
    const sentAt = lookups.now();
    pass(1000);
    machine.step = HOUR;
    lookups.isFresh(MAX_AGE);
    lookups.answered(sentAt, true);
    expect(lookups.isFresh(MAX_AGE)).toBe(false);
  });

  test('and only the wall clock shows it: as much time may have passed, until the active key is seen again', () => {
    freeze('paused', HOUR);
    expect(lookups.now()).toBe(start);
    expect(lookups.latestNow()).toBe(start + HOUR);
    expect(lookups.lookupOf(B)).toMatchObject({ now: start, unexplained: HOUR });
    lookups.answered(lookups.now(), false);
    expect(lookups.latestNow()).toBe(start + HOUR);
    lookups.answered(lookups.now(), true);
    expect(lookups.latestNow()).toBe(start);
  });

  test('and back: no time is left unexplained', () => {
    machine.step = HOUR;
    lookups.now();
    machine.step = 0;
    lookups.now();
    expect(lookups.latestNow()).toBe(start);
  });

  test('and back by more: that corrects something else', () => {
    machine.step += 10 * HOUR;
    lookups.now();
    lookups.answered(lookups.now(), true);
    freeze('paused', HOUR);
    expect(lookups.latestNow()).toBe(start + HOUR);
    machine.step -= 10 * HOUR;
    expect(lookups.latestNow()).toBe(start + HOUR);
  });
});

test('a clock that was set back makes nothing out of date', () => {
  machine.step = -HOUR;
  expect(lookups.isFresh(MAX_AGE)).toBe(true);
  expect(lookups.takeJump()).toBe(false);
  expect(events).toEqual([{ type: 'clock_stepped', seconds: -3600, suspended: 0 }]);
});
