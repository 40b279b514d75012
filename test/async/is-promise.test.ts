import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { isPromise } from '../../src/async/is-promise.js';

test.each<[string, unknown]>([
  ['a promise', Promise.resolve()],
  ['a promise from another realm', runInNewContext('Promise.resolve()')],
])('recognizes %s', (_, value) => {
  expect(isPromise(value)).toBe(true);
});

test.each<[unknown]>([[undefined], [null], [{}], ['then']])('%o is not a promise', (value) => {
  expect(isPromise(value)).toBe(false);
});
