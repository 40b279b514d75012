import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { checkOf, newChecks } from './signature-checks.support.js';

/** By a key that the runtime cannot verify with. */
const slowCheck = (name: string) => {
  const check = checkOf(name);
  return { ...check, key: { ...check.key, verifyInput: undefined } };
};

test('a check in software alone is made at once', () => {
  const { checks, onMain } = newChecks();
  expect(checks.check(slowCheck('one'))).toBe(true);
  expect(onMain).toEqual(['one']);
});

test('of several at once, one is made in a turn of the event loop, in the order of the calls', async () => {
  const { checks, onMain, inPool } = newChecks();
  const names = ['one', 'bad two', 'three', 'four'];
  const results = names.map((name) => checks.check(slowCheck(name)));
  for (let made = 1; made <= names.length; made += 1) {
    expect(onMain).toEqual(names.slice(0, made));
    await nextTurn();
  }
  expect(await Promise.all(results.map(async (result) => result))).toEqual([true, false, true, true]);
  // The thread pool cannot take them, nor a copy of them to see whether it is quick.
  expect(inPool).toEqual([]);
});

test('checks by the runtime do not wait for those in software', async () => {
  const { checks, onMain } = newChecks();
  void checks.check(slowCheck('one'));
  const slow = checks.check(slowCheck('two'));
  expect(checks.check(checkOf('quick'))).toBe(true);
  expect(onMain).toEqual(['one', 'quick']);
  expect(await slow).toBe(true);
});
