import { generateKeyPairSync } from 'node:crypto';
import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import type { AlgorithmName, KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { json, partsOf } from '../service/kms-jwt.service.support.js';
import { newStore } from '../keys/support.js';
import { startService } from './support.js';

const kmsWith = (keySpec: LocalKmsKeySpec) => new LocalKms({ keys: [{ alias: 'auth', keySpec }] });
const startOver = (localKms: LocalKms, options: Partial<KmsJwtModuleOptions> = {}) =>
  startService({ keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }), ...options });
const refusalOf = (starting: Promise<unknown>) =>
  starting.then(
    () => undefined,
    (error: unknown) => error,
  );

const jwkOf = (key: { export: (options: { format: 'jwk' }) => object }) => ({
  ...key.export({ format: 'jwk' }),
  kid: 'a',
});
describe('at start', () => {
  test.each<[LocalKmsKeySpec, KmsJwtModuleOptions['algorithm'], string]>([
    ['RSA_2048', undefined, 'it must be ECC_NIST_P256 for SIGN_VERIFY'],
    ['ECC_NIST_P384', undefined, 'it must be ECC_NIST_P256 for SIGN_VERIFY'],
    ['ECC_NIST_EDWARDS25519', undefined, 'it must be ECC_NIST_P256 for SIGN_VERIFY'],
    ['ML_DSA_65', ['ML-DSA-44', 'ML-DSA-87'], 'it must be ML_DSA_44 or ML_DSA_87 for SIGN_VERIFY'],
    ['ECC_NIST_P256', 'RS256', 'it must be RSA_2048 or RSA_3072 or RSA_4096 for SIGN_VERIFY'],
    ['ECC_SECG_P256K1', 'ES256', 'it must be ECC_NIST_P256 for SIGN_VERIFY'],
  ])('refuses a key of the spec %s with the algorithm %j', async (keySpec, algorithm, message) => {
    expect(await refusalOf(startOver(kmsWith(keySpec), { algorithm }))).toMatchObject({
      name: 'KmsKeyError',
      message: expect.stringContaining(message) as string,
    });
  });

  test.each([
    ['an RSA key of 1,024 bits', jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)],
    [
      'an RSA key with the exponent 1',
      { kty: 'RSA', n: Buffer.alloc(256, 0xc5).toString('base64url'), e: 'AQ', kid: 'a' },
    ],
    [
      'an RSA key for encryption',
      { ...jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey), use: 'enc' },
    ],
    [
      'an RSA key for PS256',
      { ...jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey), alg: 'PS256' },
    ],
    [
      'an RSA key for RSA1_5',
      { ...jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey), alg: 'RSA1_5' },
    ],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', kid: 'a', alg: 'HS256' }],
  ])('refuses %s with the algorithm RS256', async (_, jwk) => {
    expect(await refusalOf(startService({ jwks: { keys: [jwk] }, algorithm: 'RS256' }))).toMatchObject({
      option: 'jwks',
      message: expect.stringContaining('a public key for RS256') as string,
    });
  });
});

describe('the option algorithm', () => {
  test.each<[unknown, string]>([
    [['RS256', 'PS256'], 'the same key could sign with RS256 and PS256'],
    [['Ed25519', 'EdDSA'], 'the same key could sign with Ed25519 and EdDSA'],
    [['ES256', 'ES256'], 'must be an algorithm that KMS signs with, or an array of them, each once'],
    ['HS256', 'must be an algorithm that KMS signs with'],
    ['none', 'must be an algorithm that KMS signs with'],
    [[], 'must be an algorithm that KMS signs with'],
    ['es256', 'must be an algorithm that KMS signs with'],
  ])('refuses %j', async (algorithm, message) => {
    const starting = startOver(kmsWith('ECC_NIST_P256'), { algorithm: algorithm as AlgorithmName });
    expect(await refusalOf(starting)).toMatchObject({
      option: 'algorithm',
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('a long token', () => {
  const claims = { data: 'x'.repeat(5000) };

  test('is refused for Ed25519 before any call, because KMS accepts at most 4,096 bytes', async () => {
    const localKms = kmsWith('ECC_NIST_EDWARDS25519');
    const { jwt, close } = await startOver(localKms, { algorithm: 'Ed25519' });
    await expect(jwt.sign(claims)).rejects.toThrow(
      /algorithm Ed25519 takes tokens of up to 4096 bytes before the signature, as KMS hashes them itself; this one has 6\d\d\d/,
    );
    expect(localKms.calls.Sign).toBe(0);
    await close();
  });

  test.each<[LocalKmsKeySpec, AlgorithmName]>([
    ['ML_DSA_44', 'ML-DSA-44'],
    ['RSA_2048', 'PS256'],
    ['ECC_NIST_P521', 'ES512'],
  ])('is signed with a key of the spec %s', async (keySpec, algorithm) => {
    const { jwt, close } = await startOver(kmsWith(keySpec), {
      algorithm,
      limits: { maxTokenLength: 20_000 },
    });
    expect(await jwt.verify(await jwt.sign(claims))).toMatchObject(claims);
    await close();
  });
});

const algOf = (token: string) => json(partsOf(token)[0])['alg'];

describe('a rotation from RS256 to ES256', () => {
  afterEach(() => void vi.useRealTimers());

  test('publishes the new key before it signs with it, and verifies old and new tokens', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
    const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec: 'RSA_2048' }, { alias: 'next' }] });
    const { store } = newStore();
    const options = { algorithm: ['RS256', 'ES256'] as AlgorithmName[], rotation: { store } };
    const { jwt, close } = await startOver(localKms, options);
    const old = await jwt.sign({}, { expiresIn: '1d' });
    expect(algOf(old)).toBe('RS256');

    const [, next] = localKms.keys;
    await localKms
      .client()
      .send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: next?.keyId }));
    await vi.advanceTimersByTimeAsync(330_000);
    expect((await jwt.jwks()).keys.map(({ alg }) => alg).toSorted()).toEqual(['ES256', 'RS256']);
    expect(algOf(await jwt.sign({}))).toBe('RS256');
    await vi.advanceTimersByTimeAsync(1_320_000);
    const fresh = await jwt.sign({});
    expect(algOf(fresh)).toBe('ES256');
    for (const token of [old, fresh]) await expect(jwt.verify(token)).resolves.toBeDefined();
    await close();

    // An app that no longer lists RS256 does not load the RSA key from the store.
    const later = await startOver(localKms, { rotation: { store } });
    expect((await later.jwt.jwks()).keys.map(({ alg }) => alg)).toEqual(['ES256']);
    await expect(later.jwt.verify(old)).rejects.toMatchObject({ code: 'token_key_unknown' });
    await expect(later.jwt.verify(fresh)).resolves.toBeDefined();
    await later.close();
  });
});
