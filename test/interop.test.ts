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

/** Each peer as its own documentation says, given nothing but the key set. */
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
  for (let index = 0; index < TOKENS; index += 1) tokens.push(await jwt.sign({ sub: `user-${index}` }));
  changed = tokens.map((token) => {
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string };
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
    return `${header}.${forged}.${signature}`;
  });
});
afterAll(() => close());

test(`among ${TOKENS} signatures are some with a short r and some with a short s`, () => {
  const starts = tokens.map((token) => Buffer.from(token.split('.')[2] ?? '', 'base64url'));
  expect(starts.every(({ length }) => length === 64)).toBe(true);
  expect(starts.filter((signature) => signature[0] === 0).length).toBeGreaterThan(0);
  expect(starts.filter((signature) => signature[32] === 0).length).toBeGreaterThan(0);
});

describe.each(Object.entries(peers))('%s', (_, makeVerify) => {
  test(`accepts all ${TOKENS} tokens in a row by the key set from jwks()`, async () => {
    const verify = makeVerify(jwks);
    for (const [index, token] of tokens.entries()) {
      expect(await verify(token)).toMatchObject({ sub: `user-${index}`, iss: ISSUER, aud: AUDIENCE });
    }
  });

  test('refuses each of them when its payload was changed', async () => {
    const verify = makeVerify(jwks);
    for (const token of changed) {
      await expect((async () => verify(token))()).rejects.toThrow();
    }
  });
});
