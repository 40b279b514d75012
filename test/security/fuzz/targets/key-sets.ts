import { createHmac, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as fc from 'fast-check';
import { type AlgorithmName, type JsonWebKey, JwksUnavailableError, TokenError } from 'nestjs-kms-jwt';
import { NAMES } from '../../../algorithms/support.js';
import {
  type AlgorithmKeys,
  inputFor,
  newAlgorithmKeys,
  sealedBy,
  tokenFor,
  trustInAlgorithm,
} from '../../algorithm-keys.js';
import { AUDIENCE, ISSUER } from '../../support.js';
import { disturbed, json, spelled, text } from '../arbitraries.js';
import { identityOf, verdictOnJwk } from '../key-verdict.js';
import { type Service, startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';

/** The number of keys of a set that are read. */
const MAX_KEYS = 100;
/** The number of keys of a set whose tokens are verified: more would take too long for one input. */
const MAX_CHECKED = 4;
/** Algorithms of which no two fit the same key. */
const ALGORITHMS: readonly AlgorithmName[] = [
  'ES256',
  'ES384',
  'ES512',
  'ES256K',
  'RS256',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
];

/** A service that fetches a hostile key set trusts only the keys for its algorithms, each under its kid. */
export async function keySets(): Promise<Target<Buffer>> {
  let answer: Buffer = Buffer.alloc(0);
  const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  const known = ALGORITHMS.map((alg) => newAlgorithmKeys(alg));

  return {
    inputs: keySetDocuments(known),
    async judge(document) {
      answer = document;
      const {
        verdict,
        value: service,
        error,
      } = await outcomeOf(JwksUnavailableError, () =>
        startService({ jwksUri, algorithm: ALGORITHMS as AlgorithmName[] }),
      );
      try {
        await checkTrust(document, service, known);
      } finally {
        await service?.close();
      }
      return error ? verdict : 'accepted';
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function checkTrust(
  document: Buffer,
  service: Service | undefined,
  known: readonly AlgorithmKeys[],
): Promise<void> {
  const trusted = (await service?.jwt.jwks())?.keys ?? [];
  const given = jwksIn(document);
  for (const key of trusted) {
    const isGiven = given.some(
      (jwk) =>
        jwk['kid'] === key.kid &&
        identityOf(jwk) === identityOf(key) &&
        verdictOnJwk(jwk, ALGORITHMS) !== 'refuse',
    );
    must(isGiven && verdictOnJwk(key, ALGORITHMS) === 'trust', `It trusts ${key.kid}, which is not a key`);
  }
  for (const key of service ? trusted.slice(0, MAX_CHECKED) : [])
    await checkTokensOf(key, service as Service, known);
  const names = new Set(trusted.map(({ kid }) => kid));
  const forgotten = given.find(
    (jwk) => verdictOnJwk(jwk, ALGORITHMS) === 'trust' && !names.has(jwk['kid'] as string),
  );
  must(!forgotten, `It does not trust ${String(forgotten?.['kid'])}`);
}

async function checkTokensOf(
  key: JsonWebKey,
  { jwt }: Service,
  known: readonly AlgorithmKeys[],
): Promise<void> {
  const options = { issuer: ISSUER, audience: AUDIENCE };
  const { alg, kid } = key;
  for (const keys of known.filter((one) => one.alg === alg)) {
    // ML-DSA takes long to sign.
    const isRenamed = !kid.startsWith(nameOf(keys, ''));
    if (isRenamed && alg.startsWith('ML-DSA')) continue;
    const isKeys = identityOf(keys.trusted.jwk) === identityOf(key);
    const { error } = await outcomeOf(TokenError, () => jwt.verify(ownToken(keys, kid), options));
    must(!error === isKeys, `A token by another key than ${kid} was ${error ? 'refused' : 'accepted'}`);
    for (const token of foreignTokens(keys, kid)) {
      const answer = await outcomeOf(TokenError, () => jwt.verify(token, options));
      must(answer.error !== undefined, 'It accepted a token of another algorithm');
    }
  }
}

/** A key in a set with keys for all algorithms. */
const nameOf = ({ alg }: AlgorithmKeys, kid: unknown) => `${alg} ${String(kid)}`;

const ownTokens = new WeakMap<AlgorithmKeys, Map<string, string>>();

function ownToken(keys: AlgorithmKeys, kid: string): string {
  const tokens = ownTokens.get(keys) ?? new Map<string, string>();
  ownTokens.set(keys, tokens);
  const token = tokens.get(kid) ?? tokenFor(keys, { kid });
  if (kid.startsWith(nameOf(keys, ''))) tokens.set(kid, token);
  return token;
}

function foreignTokens(keys: AlgorithmKeys, kid: string): string[] {
  const hmac = (alg: string) =>
    sealedBy(inputFor(keys, { kid, alg }), (input) => createHmac('sha256', SECRET).update(input).digest());
  const other = NAMES.find((alg) => alg !== keys.alg) ?? 'none';
  return [hmac('HS256'), hmac(keys.alg), hmac(other), `${inputFor(keys, { kid, alg: 'none' })}.`];
}

function jwksIn(document: Buffer): Record<string, unknown>[] {
  try {
    const { keys } = JSON.parse(document.toString('utf8')) as { keys: unknown };
    const entries = Array.isArray(keys) ? (keys.slice(0, MAX_KEYS) as unknown[]) : [];
    return entries.filter((entry) => typeof entry === 'object' && entry !== null) as Record<
      string,
      unknown
    >[];
  } catch {
    return [];
  }
}

const SECRET = Buffer.alloc(32, 7);

function keySetDocuments(known: readonly AlgorithmKeys[]): fc.Arbitrary<Buffer> {
  const good = known.flatMap((keys) =>
    trustInAlgorithm(keys).jwks.keys.map((jwk) => ({ ...jwk, kid: nameOf(keys, jwk['kid']) })),
  );
  const jwk = fc.oneof(...[...good, ...good, ...otherKinds()].map((key) => disturbed(key, memberValue)));
  const keys = fc.oneof(
    { weight: 8, arbitrary: fc.array(jwk, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(fc.oneof(jwk, json), { maxLength: 120, size: 'max' }) },
    {
      weight: 1,
      arbitrary: fc.oneof(
        json,
        jwk,
        jwk.map((one) => ({ 0: one, length: 1 })),
      ),
    },
  );
  const set = fc.oneof(
    { weight: 12, arbitrary: keys.map((list) => ({ keys: list })) },
    { weight: 1, arbitrary: fc.oneof(json, jwk, keys) },
  );
  return spelled(set);
}

/** Keys for other algorithms, with valid kids. */
function otherKinds(): object[] {
  const pairs = [
    generateKeyPairSync('ed448'),
    generateKeyPairSync('x25519'),
    generateKeyPairSync('rsa', { modulusLength: 1024 }),
  ];
  const withPrivateHalf = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return [...pairs.map(({ publicKey }) => publicKey), withPrivateHalf, createSecretKey(SECRET)].map(
    (key, index) => ({
      ...key.export({ format: 'jwk' }),
      kid: `other-${index}`,
    }),
  );
}

const memberValue = fc.oneof(
  fc.constantFrom<unknown>(
    'EC',
    'oct',
    'AKP',
    'RSA',
    'OKP',
    'P-256',
    'P-384',
    'P-521',
    'secp256k1',
    'Ed25519',
    'Ed448',
    'X25519',
    'sig',
    'enc',
    'ES256',
    'ES384',
    'RS256',
    'PS256',
    'RSA1_5',
    'RSA-OAEP',
    'EdDSA',
    'ML-DSA-44',
    'ML-DSA-65',
    'none',
    'HS256',
  ),
  fc.constantFrom<unknown>(
    ['verify'],
    ['sign'],
    ['verify', 'sign'],
    [],
    'verify',
    'the-key',
    'other-0',
    '',
    '__proto__',
    'k'.repeat(300),
  ),
  fc.constantFrom<unknown>(
    '',
    'AA',
    Buffer.alloc(32).toString('base64url'),
    Buffer.alloc(32, 0xff).toString('base64url'),
    Buffer.alloc(256, 0xff).toString('base64url'),
    Buffer.alloc(1312).toString('base64url'),
    Buffer.alloc(2049, 0xff).toString('base64url'),
    'AQ',
    'Ag',
    'Aw',
    'AQAB',
    'AAEAAQ',
  ),
  text,
  json,
);
