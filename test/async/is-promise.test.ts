import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { isPromise } from '../../src/async/is-promise.js';

test.each<[string, unknown]>([
  ['one', Promise.resolve()],
  ['one of another realm', runInNewContext('Promise.resolve()')],
])('%s is a promise', (_, value) => {
  expect(isPromise(value)).toBe(true);
});

test.each<[unknown]>([[undefined], [null], [{}], ['then']])('%o is none', (value) => {
  expect(isPromise(value)).toBe(false);
});
