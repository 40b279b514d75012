import { type KeySpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  algorithmFor,
  algorithmNamed,
  ALGORITHM_NAMES,
  ALGORITHMS,
  ambiguousPair,
  DEFAULT_ALGORITHMS,
  ES256,
  keySpecsOf,
  namesOf,
} from '../../src/jwt/algorithms.js';
import { rsaPublicKey } from '../support/rsa-keys.js';

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey;
const KEYS: Record<string, KeyObject> = {
  'P-256': ec('P-256'),
  'P-384': ec('P-384'),
  'P-521': ec('P-521'),
  secp256k1: ec('secp256k1'),
  RSA: rsaPublicKey(2048),
  Ed25519: generateKeyPairSync('ed25519').publicKey,
};

test('ES256 goes by the names of RFC 7518, of AWS and of Node', () => {
  expect(ES256).toMatchObject({
    alg: 'ES256',
    keySpecs: ['ECC_NIST_P256' satisfies KeySpec],
    signingAlgorithm: 'ECDSA_SHA_256',
    messageType: 'DIGEST',
    hash: 'sha256',
    integerLength: 32,
  });
});

test('only ES256 is used by default', () => {
  expect(DEFAULT_ALGORITHMS).toEqual([ES256]);
});

test('every signing algorithm of KMS has a name, except Ed25519ph, which JOSE does not have, and SM2', () => {
  const known = new Set<string>(ALGORITHMS.map(({ signingAlgorithm }) => signingAlgorithm));
  const missing = Object.values(SigningAlgorithmSpec).filter((name) => !known.has(name));
  expect(missing.toSorted()).toEqual(['ED25519_PH_SHA_512', 'SM2DSA']);
});

test('no symmetric algorithm, RSA 1.5 encryption or `none` is among them', () => {
  expect(ALGORITHM_NAMES.filter((name) => /^(?:HS|none|RSA)/i.test(name))).toEqual([]);
});

test('messages name algorithms and key specs', () => {
  const two = [ES256, algorithmNamed('RS256')].filter((each) => each !== undefined);
  expect(namesOf(two)).toBe('ES256 or RS256');
  expect(keySpecsOf(two)).toBe('ECC_NIST_P256 or RSA_2048 or RSA_3072 or RSA_4096');
});

describe('the algorithm of a key', () => {
  test.each([
    ['P-256', ['ES256']],
    ['P-384', ['ES384']],
    ['P-521', ['ES512']],
    ['secp256k1', ['ES256K']],
    ['RSA', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['Ed25519', ['Ed25519', 'EdDSA']],
  ])('on %s is one of %j', (name, expected) => {
    const fitting = ALGORITHMS.filter(({ fits }) => fits(KEYS[name] as KeyObject)).map(({ alg }) => alg);
    expect(fitting).toEqual(expected);
  });

  test('is the only one that fits it, or the one that is named', () => {
    const key = KEYS['RSA'] as KeyObject;
    expect(algorithmFor(key, DEFAULT_ALGORITHMS)).toBeUndefined();
    expect(algorithmFor(key, ALGORITHMS)).toBeUndefined();
    expect(algorithmFor(key, ALGORITHMS, 'PS384')?.alg).toBe('PS384');
    expect(algorithmFor(key, ALGORITHMS, 'ES256')).toBeUndefined();
    expect(algorithmFor(key, [ES256, algorithmNamed('RS512') ?? ES256])?.alg).toBe('RS512');
  });

  test.each([
    ['an RSA key of 2,040 bits', () => rsaPublicKey(2040)],
    ['an RSA key of 1,024 bits', () => rsaPublicKey(1024)],
    ['an X25519 key', () => generateKeyPairSync('x25519').publicKey],
    ['an Ed448 key', () => generateKeyPairSync('ed448').publicKey],
    ['a key for RSA-PSS alone', () => rsaPublicKey(2048, 'rsa-pss')],
    ['a key on a Brainpool curve', () => ec('brainpoolP256r1')],
  ])('is none for %s', (_, newKey) => {
    expect(ALGORITHMS.filter(({ fits }) => fits(newKey()))).toEqual([]);
  });
});

describe('two algorithms', () => {
  test.each([
    [
      ['RS256', 'PS256'],
      ['RS256', 'PS256'],
    ],
    [
      ['ES256', 'Ed25519', 'EdDSA'],
      ['Ed25519', 'EdDSA'],
    ],
  ])('of one type of key are found among %j', (names, expected) => {
    const algorithms = names.map((name) => algorithmNamed(name) ?? ES256);
    expect(ambiguousPair(algorithms)?.map(({ alg }) => alg)).toEqual(expected);
  });

  test('of different types are none', () => {
    const algorithms = ['ES256', 'ES256K', 'RS256', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65'];
    expect(ambiguousPair(algorithms.map((name) => algorithmNamed(name) ?? ES256))).toBeUndefined();
  });
});
