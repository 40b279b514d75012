import { expect, test } from 'vitest';
import { KmsJwtOptionsError } from '../../src/errors/errors.js';
import { FileRingStore } from '../../src/keys/file-ring-store.js';
import type { KmsJwtModuleOptions } from '../../src/options/kms-jwt.options.js';
import { fromAuthHeader } from '../../src/auth/token-extractors.js';
import { readModuleOptions } from '../../src/options/read-options.js';
import { verificationKey } from '../support/verification-key.js';

const keyId = 'alias/auth';
const { jwk } = verificationKey('a');

test('treats an undefined member of a group as absent', () => {
  const given = {
    keyId,
    rotation: { refreshInterval: undefined, verificationKeys: undefined, store: undefined },
    limits: { timeout: undefined, maxQueue: undefined },
    guard: { tokenFrom: undefined, property: undefined },
  };
  expect(readModuleOptions(given)).toEqual(readModuleOptions({ keyId }));
  const jwksUri = 'https://issuer.example/jwks.json';
  expect(readModuleOptions({ jwksUri, rotation: { store: undefined } }).rotation.store).toBeUndefined();
});

test('reads the members of each group', () => {
  const store = new FileRingStore('ring.json');
  const tokenFrom = fromAuthHeader();
  const { rotation, limits, guard } = readModuleOptions({
    keyId,
    rotation: {
      refreshInterval: '10m',
      retireAfter: '1h',
      verificationKeys: ['alias/next', jwk],
      distrustedKeys: ['stolen'],
      store,
    },
    limits: { timeout: 1000, maxConcurrency: 1, maxQueue: 0, maxTokenLength: 100, maxIssuers: 10 },
    guard: {
      tokenFrom,
      property: 'auth',
      endAtExpiry: false,
      recheckInterval: '1m',
      allowedOrigins: ['https://app.example.com'],
    },
  });
  expect(rotation).toEqual({
    refreshInterval: 600,
    activationDelay: 1320,
    retireAfter: 3600,
    verificationKeys: ['alias/next', jwk],
    distrustedKeys: ['stolen'],
    maxStale: 86_400,
    store,
  });
  expect(limits).toEqual({
    timeout: 1000,
    maxConcurrency: 1,
    maxQueue: 0,
    maxTokenLength: 100,
    maxIssuers: 10,
  });
  expect(guard).toEqual({
    tokenFrom: [tokenFrom],
    property: 'auth',
    endAtExpiry: false,
    recheckInterval: 60,
    allowedOrigins: ['https://app.example.com'],
  });
});

test('has no activationDelay with requestAlias, because KMS signs with the new key at once', () => {
  const rotation = { activationDelay: '1h' };
  expect(readModuleOptions({ keyId, requestAlias: true, rotation }).rotation.activationDelay).toBe(0);
});

test.each([
  ['refreshInterval', 'rotation.refreshInterval'],
  ['activationDelay', 'rotation.activationDelay'],
  ['retireAfter', 'rotation.retireAfter'],
  ['verificationKeys', 'rotation.verificationKeys'],
  ['distrustedKeys', 'rotation.distrustedKeys'],
  ['maxStale', 'rotation.maxStale'],
  ['ringStore', 'rotation.store'],
  ['timeout', 'limits.timeout'],
  ['maxConcurrency', 'limits.maxConcurrency'],
  ['maxQueue', 'limits.maxQueue'],
  ['maxTokenLength', 'limits.maxTokenLength'],
  ['tokenFrom', 'guard.tokenFrom'],
  ['property', 'guard.property'],
])('refuses %s outside its group, and names the place', (option, place) => {
  const given = { keyId, [option]: 1 } as KmsJwtModuleOptions;
  expect(() => readModuleOptions(given)).toThrow(
    new KmsJwtOptionsError(option, `must be in its group: set ${place}`),
  );
});

test.each(['isGlobal', 'name', 'jwksPath', 'discovery'])(
  'refuses %s in the result of a factory, and names the place',
  (option) => {
    const given = { keyId, [option]: 'x' } as KmsJwtModuleOptions;
    const problem = 'must be beside useFactory in forRootAsync, not in its result';
    expect(() => readModuleOptions(given)).toThrow(new KmsJwtOptionsError(option, problem));
  },
);
