import { describe, expect, test } from 'vitest';
import type { KmsJwtModuleOptions, VerifyOptions } from '../../src/options/kms-jwt.options.js';
import { readModuleOptions, readVerifyOptions } from '../../src/options/read-options.js';
import { verificationKey } from '../support/verification-key.js';

const keyId = 'alias/auth';
const { jwk } = verificationKey('a');
const jwksUri = 'https://issuer.example/jwks.json';

describe('verification', () => {
  test('is local by default', () => {
    expect(readModuleOptions({ keyId }).verify.verification ?? 'local').toBe('local');
  });

  test('of the module is the default of every verify', () => {
    const given = { keyId, verification: 'kms', verifyOptions: { issuer: 'auth' } } as const;
    const { verify } = readModuleOptions(given);
    expect(verify).toEqual({ issuer: ['auth'], verification: 'kms' });
    expect(readVerifyOptions({ audience: 'orders' }, verify).verification).toBe('kms');
  });

  test('of a call or a route overrides that of the module, in both directions', () => {
    expect(readVerifyOptions({ verification: 'local' }, { verification: 'kms' }).verification).toBe('local');
    expect(readVerifyOptions({ verification: 'kms' }, {}).verification).toBe('kms');
  });

  test.each(['KMS', 'remote', true, null, ''])('cannot be %j', (value) => {
    const expected = expect.objectContaining({
      name: 'KmsJwtOptionsError',
      option: 'verification',
      message: expect.stringContaining("must be 'local' or 'kms'") as string,
    });
    const verification = value as 'kms';
    expect(() => readModuleOptions({ keyId, verification })).toThrow(expected);
    expect(() => readVerifyOptions({ verification }, {})).toThrow(expected);
  });

  test('that is undefined in a call is refused, because a check would be skipped', () => {
    const given = { verification: undefined } as unknown as VerifyOptions;
    expect(() => readVerifyOptions(given, {})).toThrow(
      /verification is undefined: leave it out, or set it to /,
    );
  });

  test('in verifyOptions is refused, and the error names the right place', () => {
    const given = { keyId, verifyOptions: { verification: 'kms' } } as KmsJwtModuleOptions;
    expect(() => readModuleOptions(given)).toThrow(
      expect.objectContaining({
        option: 'verifyOptions.verification',
        message: 'KmsJwt: verifyOptions.verification must be beside verifyOptions, not in it',
      }),
    );
  });
});

describe("verification: 'kms' without keys in KMS is refused with a remedy", () => {
  test.each<[string, KmsJwtModuleOptions, string, RegExp]>([
    ['jwksUri', { jwksUri }, 'verification', /needs a keyId.*Leave it out to verify locally/],
    ['jwks', { jwks: { keys: [jwk] } }, 'verification', /needs a keyId.*Leave it out to verify locally/],
    [
      'a JWK in verificationKeys',
      { keyId, rotation: { verificationKeys: ['alias/next', jwk] } },
      'rotation.verificationKeys',
      /contains a JWK.*name a key in KMS instead, or leave verification out and set it by @VerifyWith\(\)/,
    ],
  ])('%s', (_, given, option, message) => {
    expect(() => readModuleOptions({ ...given, verification: 'kms' })).toThrow(
      expect.objectContaining({ option, message: expect.stringMatching(message) as string }),
    );
    expect(() => readModuleOptions({ ...given, verification: 'local' })).not.toThrow();
  });

  test('unless the verificationKeys are in KMS', () => {
    const rotation = { verificationKeys: ['alias/next'] };
    expect(readModuleOptions({ keyId, verification: 'kms', rotation }).verify).toEqual({
      verification: 'kms',
    });
  });
});
