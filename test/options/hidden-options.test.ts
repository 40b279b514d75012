import { describe, expect, test } from 'vitest';
import { KmsJwtOptionsError } from '../../src/errors/errors.js';
import type { KmsJwtModuleOptions } from '../../src/options/kms-jwt.options.js';
import {
  readDecodeOptions,
  readModuleOptions,
  readSignOptions,
  readVerifyOptions,
} from '../../src/options/read-options.js';

const keyId = 'alias/auth';

/** Options that a copy of the object or Object.entries() would miss. */
const HIDDEN: [string, (options: object) => object, string][] = [
  ['inherited from an object', (options) => Object.create(options) as object, 'inherited'],
  [
    'inherited from the prototype of a prototype',
    (options) => Object.create(Object.create(options) as object) as object,
    'inherited',
  ],
  [
    'a getter of a class',
    (options) => {
      class Options {
        describe() {}
      }
      for (const [name, value] of Object.entries(options)) {
        Object.defineProperty(Options.prototype, name, { get: () => value as unknown });
      }
      return new Options();
    },
    'inherited',
  ],
  [
    'not enumerable',
    (options) => {
      const given = {};
      for (const [name, value] of Object.entries(options)) Object.defineProperty(given, name, { value });
      return given;
    },
    'not enumerable',
  ],
];

describe.each(HIDDEN)('an option that is %s is refused:', (_, hide, problem) => {
  const refused = (option: string) =>
    new KmsJwtOptionsError(option, `is ${problem}: options must be own, enumerable properties`);

  test.each<[string, (hidden: (options: object) => object) => object]>([
    ['isRevoked', (hidden) => Object.assign(hidden({ isRevoked: () => true }), { keyId })],
    ['verifyOptions.audience', (hidden) => ({ keyId, verifyOptions: hidden({ audience: 'orders' }) })],
    ['signOptions.expiresIn', (hidden) => ({ keyId, signOptions: hidden({ expiresIn: '15m' }) })],
    ['rotation.retireAfter', (hidden) => ({ keyId, rotation: hidden({ retireAfter: '1h' }) })],
    ['limits.maxTokenLength', (hidden) => ({ keyId, limits: hidden({ maxTokenLength: 100 }) })],
    ['guard.property', (hidden) => ({ keyId, guard: hidden({ property: 'auth' }) })],
  ])('%s of the module', (option, optionsWith) => {
    const options = optionsWith(hide) as KmsJwtModuleOptions;
    expect(() => readModuleOptions(options)).toThrow(refused(option));
  });

  test('of one call', () => {
    expect(() => readVerifyOptions(hide({ audience: 'orders' }), {})).toThrow(refused('audience'));
    expect(() => readSignOptions(hide({ expiresIn: '15m' }), {})).toThrow(refused('expiresIn'));
    expect(() => readDecodeOptions(hide({ complete: true }))).toThrow(refused('complete'));
  });
});

test('instances of classes with own fields are valid options', () => {
  class VerifyDefaults {
    audience = 'orders';
    describe() {
      return 'the defaults';
    }
  }
  class Options {
    keyId = keyId;
    verifyOptions = new VerifyDefaults();
  }
  expect(readModuleOptions(new Options()).verify).toEqual({ audience: ['orders'] });
  expect(readVerifyOptions(new VerifyDefaults(), {})).toEqual({ audience: ['orders'] });
});

test('objects without a prototype are valid options', () => {
  const given = Object.assign(Object.create(null) as object, { audience: 'orders' });
  expect(readVerifyOptions(given, {})).toEqual({ audience: ['orders'] });
});

test.each<[string, unknown]>([
  ['a promise', Promise.resolve({ audience: 'orders' })],
  ['a Map', new Map([['audience', 'orders']])],
  ['URLSearchParams', new URLSearchParams({ audience: 'orders' })],
  ['an array', [{ audience: 'orders' }]],
  ['a function', () => ({ audience: 'orders' })],
])('%s is refused as options', (_, given) => {
  const refused = {
    name: 'KmsJwtOptionsError',
    message: expect.stringContaining('must be an object') as string,
  };
  expect(() => readVerifyOptions(given as object, {})).toThrow(expect.objectContaining(refused));
  expect(() => readModuleOptions({ keyId, verifyOptions: given as object })).toThrow(
    expect.objectContaining({ ...refused, option: 'verifyOptions' }),
  );
});

test('a getter is read once, so that the checked value is the one used', () => {
  let reads = 0;
  const given = {
    get audience() {
      reads += 1;
      return reads === 1 ? 'orders' : /.*/;
    },
  };
  expect(readVerifyOptions(given, {})).toEqual({ audience: ['orders'] });
});
