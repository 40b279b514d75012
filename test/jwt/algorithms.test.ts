import { type KeySpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { constants, generateKeyPairSync, type KeyObject } from 'node:crypto';
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

const RSA_SPECS: KeySpec[] = ['RSA_2048', 'RSA_3072', 'RSA_4096'];

/** The header's name, and those of AWS and of Node (RFC 7518, section 3.1; RFC 8037; RFC 8812; RFC 9864; RFC 9964). */
const TABLE: [string, KeySpec[], SigningAlgorithmSpec, string, string | undefined, number | undefined][] = [
  ['ES256', ['ECC_NIST_P256'], 'ECDSA_SHA_256', 'DIGEST', 'sha256', 32],
  ['ES384', ['ECC_NIST_P384'], 'ECDSA_SHA_384', 'DIGEST', 'sha384', 48],
  ['ES512', ['ECC_NIST_P521'], 'ECDSA_SHA_512', 'DIGEST', 'sha512', 66],
  ['ES256K', ['ECC_SECG_P256K1'], 'ECDSA_SHA_256', 'DIGEST', 'sha256', 32],
  ['RS256', RSA_SPECS, 'RSASSA_PKCS1_V1_5_SHA_256', 'DIGEST', 'sha256', undefined],
  ['RS384', RSA_SPECS, 'RSASSA_PKCS1_V1_5_SHA_384', 'DIGEST', 'sha384', undefined],
  ['RS512', RSA_SPECS, 'RSASSA_PKCS1_V1_5_SHA_512', 'DIGEST', 'sha512', undefined],
  ['PS256', RSA_SPECS, 'RSASSA_PSS_SHA_256', 'DIGEST', 'sha256', undefined],
  ['PS384', RSA_SPECS, 'RSASSA_PSS_SHA_384', 'DIGEST', 'sha384', undefined],
  ['PS512', RSA_SPECS, 'RSASSA_PSS_SHA_512', 'DIGEST', 'sha512', undefined],
  ['Ed25519', ['ECC_NIST_EDWARDS25519'], 'ED25519_SHA_512', 'RAW', undefined, undefined],
  ['EdDSA', ['ECC_NIST_EDWARDS25519'], 'ED25519_SHA_512', 'RAW', undefined, undefined],
  ['ML-DSA-44', ['ML_DSA_44'], 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', undefined, undefined],
  ['ML-DSA-65', ['ML_DSA_65'], 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', undefined, undefined],
  ['ML-DSA-87', ['ML_DSA_87'], 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', undefined, undefined],
];

test('the table has the names of the RFCs, of AWS and of Node.js for each algorithm', () => {
  const rows = ALGORITHMS.map((row) => [
    row.alg,
    row.keySpecs,
    row.signingAlgorithm,
    row.messageType,
    row.hash,
    row.integerLength,
  ]);
  expect(rows).toEqual(TABLE);
  expect(ALGORITHM_NAMES).toEqual(TABLE.map(([alg]) => alg));
});

test('signatures are verified as R and S, with PKCS #1, or with PSS and a salt as long as the hash', () => {
  const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING } = constants;
  const expected = {
    ES: { dsaEncoding: 'ieee-p1363' },
    RS: { padding: RSA_PKCS1_PADDING },
    PS256: { padding: RSA_PKCS1_PSS_PADDING, saltLength: 32 },
    PS384: { padding: RSA_PKCS1_PSS_PADDING, saltLength: 48 },
    PS512: { padding: RSA_PKCS1_PSS_PADDING, saltLength: 64 },
  };
  const optionsOf = (alg: string) =>
    Object.entries(expected).find(([prefix]) => alg.startsWith(prefix))?.[1] ?? {};
  for (const { alg, verifyOptions } of ALGORITHMS) expect(verifyOptions, alg).toEqual(optionsOf(alg));
});

test('only ES256 is used by default', () => {
  expect(DEFAULT_ALGORITHMS).toEqual([ES256]);
});

test('the table has every signing algorithm of KMS except Ed25519ph and SM2, which JOSE lacks', () => {
  const known = new Set<string>(ALGORITHMS.map(({ signingAlgorithm }) => signingAlgorithm));
  const missing = Object.values(SigningAlgorithmSpec).filter((name) => !known.has(name));
  expect(missing.toSorted()).toEqual(['ED25519_PH_SHA_512', 'SM2DSA']);
});

test('the table has no symmetric algorithm, no RSA encryption and not `none`', () => {
  expect(ALGORITHM_NAMES.filter((name) => /^(?:HS|none|RSA)/i.test(name))).toEqual([]);
});

test('messages list algorithms and key specs', () => {
  const two = [ES256, algorithmNamed('RS256')].filter((each) => each !== undefined);
  expect(namesOf(two)).toBe('ES256 or RS256');
  expect(keySpecsOf(two)).toBe('ECC_NIST_P256 or RSA_2048 or RSA_3072 or RSA_4096');
});

describe('the algorithms that fit', () => {
  test.each([
    ['P-256', ['ES256']],
    ['P-384', ['ES384']],
    ['P-521', ['ES512']],
    ['secp256k1', ['ES256K']],
    ['RSA', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['Ed25519', ['Ed25519', 'EdDSA']],
  ])('a key of %s are %j', (name, expected) => {
    const fitting = ALGORITHMS.filter(({ fits }) => fits(KEYS[name] as KeyObject)).map(({ alg }) => alg);
    expect(fitting).toEqual(expected);
  });

  test('a key are narrowed to the one in its alg, or to the only configured one', () => {
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
    ['an RSA key restricted to PSS', () => rsaPublicKey(2048, 'rsa-pss')],
    ['a key on a Brainpool curve', () => ec('brainpoolP256r1')],
  ])('%s are none', (_, newKey) => {
    expect(ALGORITHMS.filter(({ fits }) => fits(newKey()))).toEqual([]);
  });
});

describe('ambiguousPair', () => {
  test.each([
    [
      ['RS256', 'PS256'],
      ['RS256', 'PS256'],
    ],
    [
      ['ES256', 'Ed25519', 'EdDSA'],
      ['Ed25519', 'EdDSA'],
    ],
  ])('finds two algorithms for one type of key in %j', (names, expected) => {
    const algorithms = names.map((name) => algorithmNamed(name) ?? ES256);
    expect(ambiguousPair(algorithms)?.map(({ alg }) => alg)).toEqual(expected);
  });

  test('finds none in algorithms for different types of keys', () => {
    const algorithms = ['ES256', 'ES256K', 'RS256', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65'];
    expect(ambiguousPair(algorithms.map((name) => algorithmNamed(name) ?? ES256))).toBeUndefined();
  });
});
