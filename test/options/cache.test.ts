import { expect, test } from 'vitest';
import { KmsJwtOptionsError } from '../../src/errors/errors.js';
import { readModuleOptions } from '../../src/options/read-options.js';

const read = (cache: unknown) => readModuleOptions({ keyId: 'alias/auth', cache } as never).cache;

test.each([
  ['undefined', undefined, { max: 1000 }],
  ['an empty object', {}, { max: 1000 }],
  ['an object with max: undefined', { max: undefined }, { max: 1000 }],
  ['the smallest max', { max: 1 }, { max: 1 }],
  ['the largest max', { max: 100_000 }, { max: 100_000 }],
  ['false', false, false],
])('accepts %s', (_, given, expected) => {
  expect(read(given)).toEqual(expected);
});

test.each([[true], [null], [0], [1000], ['1000'], [[]], [() => false]])('refuses %o', (cache) => {
  expect(() => read(cache)).toThrow(new KmsJwtOptionsError('cache', 'must be an object, or false'));
});

test('refuses a Map, which has no options', () => {
  expect(() => read(new Map([['max', 1]]))).toThrow(
    new KmsJwtOptionsError('cache', 'must be an object of options, not a promise, a Map or an array'),
  );
});

test.each([[0], [-1], [1.5], [100_001], [Number.MAX_SAFE_INTEGER], [Infinity], [NaN], ['10'], [null], [10n]])(
  'refuses a max of %o',
  (max) => {
    expect(() => read({ max })).toThrow(
      new KmsJwtOptionsError('cache.max', 'must be a positive whole number of tokens, at most 100000'),
    );
  },
);

test('refuses an unknown member', () => {
  expect(() => read({ size: 1 })).toThrow(
    new KmsJwtOptionsError('cache.size', 'is unknown: the known options are max'),
  );
});

test('refuses an inherited max, which a copy would not have', () => {
  expect(() => read(Object.create({ max: 1 }))).toThrow(
    new KmsJwtOptionsError('cache.max', 'is inherited: options must be own, enumerable properties'),
  );
});
