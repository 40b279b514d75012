import { Test } from '@nestjs/testing';
import { JwtVerifier } from 'aws-jwt-verify';
import { createVerifier } from 'fast-jwt';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { createPublicKey } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { type JsonWebKeySet, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const TOKENS = 1000;
const ISSUER = 'https://auth.example';
const AUDIENCE = 'orders';

type Verify = (token: string) => unknown;

/** Each library as its documentation says, given only the key set. */
const peers: Record<string, (jwks: JsonWebKeySet) => Verify> = {
  jose: (jwks) => {
    const keySet = createLocalJWKSet(jwks);
    return async (token) => (await jwtVerify(token, keySet, { issuer: ISSUER, audience: AUDIENCE })).payload;
  },
  jsonwebtoken: (jwks) => {
    const pem = createPublicKey({ key: { ...jwks.keys[0] }, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    return (token) =>
      jsonwebtoken.verify(token, pem, { algorithms: ['ES256'], issuer: ISSUER, audience: AUDIENCE });
  },
  'fast-jwt': (jwks) => {
    const key = createPublicKey({ key: { ...jwks.keys[0] }, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    return createVerifier({ key: key.toString(), allowedIss: ISSUER, allowedAud: AUDIENCE });
  },
  'aws-jwt-verify': (jwks) => {
    const verifier = JwtVerifier.create({
      issuer: ISSUER,
      audience: AUDIENCE,
      jwksUri: `${ISSUER}/jwks.json`,
    });
    verifier.cacheJwks(jwks as never);
    return (token) => verifier.verifySync(token);
  },
};

let close: () => Promise<void>;
let tokens: string[];
let changed: string[];
let jwks: JsonWebKeySet;

const signatureOf = (token: string) => Buffer.from(token.split('.')[2] ?? '', 'base64url');
const hasShort = (at: 0 | 32) => tokens.some((token) => signatureOf(token)[at] === 0);

beforeAll(async () => {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const signOptions = { issuer: ISSUER, audience: AUDIENCE, expiresIn: '1h' };
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client(), signOptions })],
  }).compile();
  await module.init();
  close = () => module.close();

  const jwt = module.get(KmsJwtService);
  jwks = await jwt.jwks();
  tokens = [];
  // Until one signature has a short r and one a short s: each is one signature in 256.
  while (tokens.length < TOKENS || !hasShort(0) || !hasShort(32)) {
    tokens.push(await jwt.sign({ sub: `user-${tokens.length}` }));
  }
  changed = tokens.map((token) => {
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string };
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
    return `${header}.${forged}.${signature}`;
  });
});
afterAll(() => close());

test('every signature has 64 bytes, some with a short r and some with a short s', () => {
  expect(tokens.every((token) => signatureOf(token).length === 64)).toBe(true);
  expect([hasShort(0), hasShort(32)]).toEqual([true, true]);
});

describe.each(Object.entries(peers))('%s', (_, makeVerify) => {
  test(`accepts at least ${TOKENS} tokens with the key set from jwks()`, async () => {
    const verify = makeVerify(jwks);
    for (const [index, token] of tokens.entries()) {
      expect(await verify(token)).toMatchObject({ sub: `user-${index}`, iss: ISSUER, aud: AUDIENCE });
    }
  });

  test('refuses each token with a changed payload', async () => {
    const verify = makeVerify(jwks);
    for (const token of changed) {
      await expect((async () => verify(token))()).rejects.toThrow();
    }
  });
});
