import type { KeySpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { expect, test } from 'vitest';
import { ALGORITHM_NAMES, ALGORITHMS, ES256, KEY_SPECS } from '../../src/jwt/algorithms.js';

test('ES256 goes by the names of RFC 7518, of AWS, of OpenSSL and of Node', () => {
  expect(ES256).toEqual({
    alg: 'ES256',
    keySpec: 'ECC_NIST_P256' satisfies KeySpec,
    signingAlgorithm: 'ECDSA_SHA_256' satisfies SigningAlgorithmSpec,
    namedCurve: 'prime256v1',
    hash: 'sha256',
    integerLength: 32,
  });
});

test('ES256 is the only algorithm', () => {
  expect(ALGORITHMS).toEqual([ES256]);
});

test('messages name every algorithm', () => {
  expect(ALGORITHM_NAMES).toBe('ES256');
  expect(KEY_SPECS).toBe('ECC_NIST_P256');
});
