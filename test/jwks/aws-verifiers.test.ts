import { generateKeyPairSync } from 'node:crypto';
import type { INestApplication, LoggerService } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  type AlgorithmName,
  type JsonWebKey,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  type SignOptions,
} from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../../src/jwt/algorithms.js';
import { brokenRulesOfApiGateway, brokenRulesOfLoadBalancer } from './aws-verifiers.js';

const ISSUER = 'https://auth.example.com';
const AUDIENCE = 'orders';
const SCOPE = 'orders:read';
const SIGN_OPTIONS = { issuer: ISSUER, audience: AUDIENCE, expiresIn: '15m' };

const LOGGER: LoggerService = {
  log: () => {},
  error: () => {},
  warn: (line: string) => void warnings.push(line),
};
let warnings: string[];
let app: INestApplication;

beforeEach(() => {
  warnings = [];
});
afterEach(() => app.close());

/** Starts an app that signs with this algorithm and serves its key set. */
async function start(
  algorithm: AlgorithmName | AlgorithmName[],
  keySpec: string,
  options: Partial<KmsJwtModuleOptions> = {},
) {
  const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec: keySpec as LocalKmsKeySpec }] });
  const kmsJwt = KmsJwtModule.forRoot({
    keyId: 'alias/auth',
    client: localKms.client(),
    algorithm,
    signOptions: SIGN_OPTIONS,
    jwksPath: '.well-known/jwks.json',
    discovery: options.signOptions === undefined,
    ...options,
  });
  const module = await Test.createTestingModule({ imports: [kmsJwt] })
    .setLogger(LOGGER)
    .compile();
  app = module.createNestApplication({ logger: LOGGER });
  await app.listen(0, '127.0.0.1');
}

const get = async (path: string) => (await fetch(`${await app.getUrl()}/.well-known/${path}`)).text();
const getKeySet = () => get('jwks.json');
const sign = (options?: SignOptions) =>
  app.get(KmsJwtService).sign({ sub: 'user-42', scope: SCOPE }, options);

const loadBalancer = async (token: string) =>
  brokenRulesOfLoadBalancer({ token, keySet: await getKeySet() }, ISSUER);
const apiGateway = async (token: string) =>
  brokenRulesOfApiGateway(
    { token, keySet: await getKeySet() },
    {
      metadata: JSON.parse(await get('openid-configuration')) as Record<string, unknown>,
      issuer: ISSUER,
      audience: AUDIENCE,
      scope: SCOPE,
    },
  );

const publicJwks = (count: number) =>
  Array.from({ length: count }, (_, index) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    return { ...publicKey.export({ format: 'jwk' }), kid: `key-${index}` } as JsonWebKey;
  });

describe('the documented rules of AWS', () => {
  test('are met by RS256 tokens, for the load balancer and for API Gateway', async () => {
    await start('RS256', 'RSA_2048');
    expect(await loadBalancer(await sign())).toEqual([]);
    expect(await apiGateway(await sign())).toEqual([]);
  });

  test('are not met by tokens of the default algorithm', async () => {
    await start('ES256', 'ECC_NIST_P256');
    expect(await loadBalancer(await sign())).toContain('only RS256 is supported');
    expect(await apiGateway(await sign())).toContain('only RSA-based algorithms are supported');
  });

  test('are not met by tokens without exp and iss', async () => {
    await start('RS256', 'RSA_2048', { signOptions: {} });
    expect(await loadBalancer(await sign())).toEqual([
      'iss is required, and the one configured',
      'exp is required, and in the future',
    ]);
  });

  test('are not met by a token before its nbf, which the library refuses, too', async () => {
    await start('RS256', 'RSA_2048');
    const token = await sign({ notBefore: '1m' });
    expect(await loadBalancer(token)).toEqual(['nbf is in the past, if present']);
    expect(await apiGateway(token)).toEqual(['nbf is in the past, if present']);
    await expect(app.get(KmsJwtService).verify(token)).rejects.toMatchObject({ code: 'token_not_active' });
  });
});

describe('a key set that the load balancer does not accept', () => {
  test('is served, and logged as a warning at the first request', async () => {
    await start('RS256', 'RSA_2048', { rotation: { verificationKeys: publicJwks(10) } });
    expect(warnings).toEqual([]);
    expect(await loadBalancer(await sign())).toEqual(['the key set has at most 10 keys']);
    await getKeySet();
    expect(warnings).toEqual([
      expect.stringMatching(
        /^The key set at \/\.well-known\/jwks\.json has 11 keys and 5 KB: .* 10 keys and 150 KB.*\. Remove keys from rotation\.verificationKeys/,
      ),
    ]);
  });

  test('is not logged if it has ten keys', async () => {
    await start('RS256', 'RSA_2048', { rotation: { verificationKeys: publicJwks(9) } });
    expect(await loadBalancer(await sign())).toEqual([]);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['ML-DSA-87', { kty: 'AKP', alg: 'ML-DSA-87', pub: Buffer.alloc(2592, 1).toString('base64url') }],
    [
      'RSA of 16,384 bits',
      { kty: 'RSA', alg: 'RS256', n: Buffer.alloc(2048, 255).toString('base64url'), e: 'Af____8' },
    ],
  ])('is never one of ten keys, which stay below 150 KB: %s', async (_, jwk) => {
    // JSON escapes each of these characters with six bytes.
    const verificationKeys = Array.from({ length: 9 }, (_one, index) => {
      const kid = String.fromCharCode(14 + index).repeat(256);
      return { ...jwk, kid } as JsonWebKey;
    });
    const algorithm: AlgorithmName[] = ['RS256', 'ML-DSA-87'];
    await start(algorithm, 'RSA_4096', { rotation: { verificationKeys } });
    const keySet = await getKeySet();
    expect((JSON.parse(keySet) as { keys: object[] }).keys).toHaveLength(10);
    expect(Buffer.byteLength(keySet)).toBeGreaterThan(9 * 4000);
    expect(Buffer.byteLength(keySet)).toBeLessThan(51_000);
    expect(await loadBalancer(await sign())).toEqual([]);
    expect(warnings).toEqual([]);
  });
});

const PAIRS = ALGORITHMS.flatMap(({ alg, keySpecs }) => keySpecs.map((keySpec) => ({ alg, keySpec })));

test.each(PAIRS)(
  'a published key of $keySpec for $alg has kid, alg and use, and no private member',
  async (pair) => {
    await start(pair.alg, pair.keySpec);
    const { keys } = JSON.parse(await getKeySet()) as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(1);
    const [{ kid, alg, use, ...members } = {}] = keys;
    expect({ kid, alg, use }).toEqual({ kid: expect.any(String), alg: pair.alg, use: 'sig' });
    expect(Object.keys(members).toSorted((one, other) => one.localeCompare(other))).toEqual(
      { EC: ['crv', 'kty', 'x', 'y'], RSA: ['e', 'kty', 'n'], OKP: ['crv', 'kty', 'x'], AKP: ['kty', 'pub'] }[
        String(members['kty'])
      ],
    );
    const header = app.get(KmsJwtService).decode(await sign(), { complete: true }).header;
    expect({ kid: header.kid, alg: header.alg }).toEqual({ kid, alg });
  },
);
