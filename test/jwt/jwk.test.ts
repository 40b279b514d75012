import { createPublicKey } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { thumbprint, toJwk } from '../../src/jwt/jwk.js';
import { newKeyPair } from '../support/forge.js';

test('a public key becomes a JWK with everything that verifiers ask for, and nothing private', () => {
  const { publicKey } = newKeyPair();
  const jwk = toJwk(publicKey, ES256);
  expect(jwk).toEqual({
    kty: 'EC',
    crv: 'P-256',
    x: expect.any(String),
    y: expect.any(String),
    alg: 'ES256',
    use: 'sig',
  });
  expect(createPublicKey({ key: jwk, format: 'jwk' }).equals(publicKey)).toBe(true);
});

test("the thumbprint is RFC 7638's, as jose computes it", async () => {
  const jwk = toJwk(newKeyPair().publicKey, ES256);
  expect(thumbprint(jwk)).toBe(await calculateJwkThumbprint(jwk));
});
