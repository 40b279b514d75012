import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { checkOf, newChecks } from './signature-checks.support.js';

/** With a key that node:crypto does not support. */
const slowCheck = (name: string) => {
  const check = checkOf(name);
  return { ...check, key: { ...check.key, verifyInput: undefined } };
};

test('a single check in software is made at once', () => {
  const { checks, onMain } = newChecks();
  expect(checks.check(slowCheck('one'))).toBe(true);
  expect(onMain).toEqual(['one']);
});

test('concurrent checks in software are made one per turn of the event loop, in order', async () => {
  const { checks, onMain, inPool } = newChecks();
  const names = ['one', 'bad two', 'three', 'four'];
  const results = names.map((name) => checks.check(slowCheck(name)));
  for (let made = 1; made <= names.length; made += 1) {
    expect(onMain).toEqual(names.slice(0, made));
    await nextTurn();
  }
  expect(await Promise.all(results.map(async (result) => result))).toEqual([true, false, true, true]);
  // The thread pool can neither make them nor be tried with them.
  expect(inPool).toEqual([]);
});

test('checks with node:crypto do not wait for those in software', async () => {
  const { checks, onMain } = newChecks();
  void checks.check(slowCheck('one'));
  const slow = checks.check(slowCheck('two'));
  expect(checks.check(checkOf('quick'))).toBe(true);
  expect(onMain).toEqual(['one', 'quick']);
  expect(await slow).toBe(true);
});
