import { describe, expect, test } from 'vitest';
import type { KmsJwtModuleOptions } from '../../src/options/kms-jwt.options.js';
import { readModuleOptions } from '../../src/options/read-options.js';
import { verificationKey } from '../support/verification-key.js';

const keyId = 'alias/auth';
const jwksUri = 'https://issuer.example/jwks.json';
const { jwk } = verificationKey('a');

describe('rotation.distrustedKeys', () => {
  test.each<KmsJwtModuleOptions>([{ keyId }, { jwksUri }, { jwks: { keys: [jwk] } }])(
    'is accepted with %j',
    (keys) => {
      const distrustedKeys = ['stolen'];
      const { rotation } = readModuleOptions({ ...keys, rotation: { distrustedKeys } });
      expect(rotation.distrustedKeys).toEqual(['stolen']);
      expect(rotation.distrustedKeys).not.toBe(distrustedKeys);
    },
  );

  const arn = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd';

  test.each([
    undefined,
    'stolen',
    [''],
    [' stolen'],
    [arn],
    ['alias/auth'],
    [undefined],
    [{ kid: 'stolen' }],
  ])('cannot be %j', (distrustedKeys) => {
    const given = { keyId, rotation: { distrustedKeys } } as KmsJwtModuleOptions;
    const refusal = expect.objectContaining({ option: 'rotation.distrustedKeys' });
    expect(() => readModuleOptions(given)).toThrow(refusal);
  });
});

describe('rotation.maxStale', () => {
  test('is accepted with jwksUri', () => {
    expect(readModuleOptions({ jwksUri, rotation: { maxStale: '12h' } }).rotation.maxStale).toBe(43_200);
  });

  test.each<[string, KmsJwtModuleOptions]>([
    ['a key in KMS', { keyId, rotation: { maxStale: '1d' } }],
    ['a given key set', { jwks: { keys: [jwk] }, rotation: { maxStale: '1d' } }],
    ['a duration of 0', { jwksUri, rotation: { maxStale: 0 } }],
  ])('is refused with %s', (_, given) => {
    expect(() => readModuleOptions(given)).toThrow(expect.objectContaining({ option: 'rotation.maxStale' }));
  });
});
