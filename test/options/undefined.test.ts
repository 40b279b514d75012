import { describe, expect, test } from 'vitest';
import {
  readDecodeOptions,
  readModuleOptions,
  readSignOptions,
  readVerifyOptions,
} from '../../src/options/read-options.js';

const keyId = 'alias/auth';

describe('undefined is refused if it would disable a check:', () => {
  test.each([
    ['isRevoked', { isRevoked: undefined }, 'a function'],
    ['signOptions', { signOptions: undefined }, 'an object'],
    ['verifyOptions', { verifyOptions: undefined }, 'an object'],
    ['verification', { verification: undefined }, "'local' or 'kms'"],
    ['rotation.distrustedKeys', { rotation: { distrustedKeys: undefined } }, 'an array of '],
    ['guard.allowedOrigins', { guard: { allowedOrigins: undefined } }, 'an array of '],
  ])('%s of the module', (option, given, expected) => {
    const problem = `${option} is undefined: leave it out, or set it to ${expected}`;
    expect(() => readModuleOptions({ keyId, ...given })).toThrow(
      expect.objectContaining({ option, message: expect.stringContaining(problem) as string }),
    );
  });

  const SIGN = ['expiresIn', 'notBefore', 'audience', 'issuer', 'subject', 'jwtid', 'header', 'noTimestamp'];
  const VERIFY = [
    'audience',
    'issuer',
    'subject',
    'jwtid',
    'nonce',
    'requiredClaims',
    'typ',
    'maxAge',
    'schema',
    'clockTolerance',
    'ignoreExpiration',
    'ignoreNotBefore',
  ];

  test.each(SIGN)('signOptions.%s, and the same option of one call', (option) => {
    const given = { [option]: undefined };
    const problem = expect.stringContaining('is undefined: leave it out, or set it to ') as string;
    expect(() => readModuleOptions({ keyId, signOptions: given })).toThrow(
      expect.objectContaining({ option: `signOptions.${option}`, message: problem }),
    );
    expect(() => readSignOptions(given, {})).toThrow(expect.objectContaining({ option, message: problem }));
  });

  test.each(VERIFY)('verifyOptions.%s, and the same option of one call', (option) => {
    const given = { [option]: undefined };
    const problem = expect.stringContaining('is undefined: leave it out, or set it to ') as string;
    expect(() => readModuleOptions({ keyId, verifyOptions: given })).toThrow(
      expect.objectContaining({ option: `verifyOptions.${option}`, message: problem }),
    );
    expect(() => readVerifyOptions(given, {})).toThrow(expect.objectContaining({ option, message: problem }));
  });

  test.each(['clockTimestamp', 'complete'])('%s of one call', (option) => {
    expect(() => readVerifyOptions({ [option]: undefined }, {})).toThrow(expect.objectContaining({ option }));
  });
});

describe('undefined otherwise counts as absent:', () => {
  test.each([
    'jwksUri',
    'jwks',
    'kid',
    'client',
    'regions',
    'messageType',
    'requestAlias',
    'lazy',
    'rotation',
    'limits',
    'guard',
  ])('%s of the module', (option) => {
    expect(readModuleOptions({ keyId, [option]: undefined })).toEqual(readModuleOptions({ keyId }));
  });

  test('signal of one call, which does not replace the default either', () => {
    expect(readSignOptions({ signal: undefined }, { issuer: 'auth' })).toEqual({
      issuer: 'auth',
      asked: {},
    });
  });

  test('complete of decode', () => {
    expect(readDecodeOptions({ complete: undefined })).toEqual({});
  });
});
