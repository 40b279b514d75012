import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as fc from 'fast-check';
import { JwksUnavailableError, TokenError } from 'nestjs-kms-jwt';
import {
  AUDIENCE,
  goodClaims,
  goodHeader,
  hmacToken,
  ISSUER,
  jwksOf,
  newKeys,
  signed,
} from '../../support.js';
import { disturbed, json, spelled, text } from '../arbitraries.js';
import { pointOf, verdictOnJwk } from '../jwk-verdict.js';
import { type Service, startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';

/** More keys of one set are not looked at. */
const MAX_KEYS = 100;

/** A service that fetches a hostile key set trusts the keys for ES256 in it, each under its name, and nothing else. */
export async function keySets(): Promise<Target<Buffer>> {
  let answer: Buffer = Buffer.alloc(0);
  const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  const known = [newKeys(), newKeys()];

  return {
    inputs: keySetDocuments(known.map((keys) => jwksOf(keys).keys[0] ?? {})),
    async judge(document) {
      answer = document;
      const {
        verdict,
        value: service,
        error,
      } = await outcomeOf(JwksUnavailableError, () => startService({ jwksUri }));
      try {
        await checkTrust(document, service);
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

  async function checkTrust(document: Buffer, service: Service | undefined): Promise<void> {
    const trusted = (await service?.jwt.jwks())?.keys ?? [];
    const given = jwksIn(document);
    for (const key of trusted) {
      const isGiven = given.some(
        (jwk) =>
          jwk['kid'] === key.kid && pointOf(jwk) === pointOf(key as object) && verdictOnJwk(jwk) !== 'refuse',
      );
      must(isGiven, `It trusts ${key.kid}, which is no key for ES256`);
      if (service) await checkTokensOf(key.kid, pointOf(key as object), service);
    }
    const names = new Set(trusted.map(({ kid }) => kid));
    const forgotten = given.find((jwk) => verdictOnJwk(jwk) === 'trust' && !names.has(jwk['kid'] as string));
    must(!forgotten, `It does not trust ${String(forgotten?.['kid'])}`);
  }

  async function checkTokensOf(kid: string, point: string, { jwt }: Service): Promise<void> {
    const options = { issuer: ISSUER, audience: AUDIENCE };
    for (const keys of known) {
      const own = { ...keys, kid };
      const isKeys = pointOf(keys.publicKey.export({ format: 'jwk' })) === point;
      const { error } = await outcomeOf(TokenError, () => jwt.verify(signed(own), options));
      must(!error === isKeys, `A token by another key than ${kid} was ${error ? 'refused' : 'accepted'}`);
    }
    for (const token of [hmacToken({ ...known[0]!, kid }, 256, SECRET), unsigned(kid)]) {
      const { error } = await outcomeOf(TokenError, () => jwt.verify(token, options));
      must(error !== undefined, 'It accepted a token of another algorithm');
    }
  }

  function unsigned(kid: string): string {
    const [header, payload] = signed(
      { ...known[0]!, kid },
      { ...goodHeader(known[0]!), alg: 'none' },
      goodClaims(known[0]!),
    ).split('.');
    return `${header}.${payload}.`;
  }
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

function keySetDocuments(good: readonly object[]): fc.Arbitrary<Buffer> {
  const jwk = fc.oneof(
    ...[...good, ...good, ...good, ...good, ...otherKinds()].map((key) => disturbed(key, memberValue)),
  );
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

/** Keys that are none for ES256, under names as good as any. */
function otherKinds(): object[] {
  const pairs = [
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
    generateKeyPairSync('ed25519'),
    generateKeyPairSync('x25519'),
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
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
    'RSA',
    'OKP',
    'P-256',
    'P-384',
    'secp256k1',
    'sig',
    'enc',
    'ES256',
    'ES384',
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
  ),
  text,
  json,
);
