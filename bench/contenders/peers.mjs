// The peers, each in its fastest configuration that checks the algorithm, the issuer and the audience.
import { JwtService } from '@nestjs/jwt';
import { JwtVerifier } from 'aws-jwt-verify';
import { createVerifier } from 'fast-jwt';
import { importJWK, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { AUDIENCE, ISSUER } from '../tokens.mjs';

const EXPECTED = { algorithms: ['ES256'], issuer: ISSUER, audience: AUDIENCE };

/**
 * Functions by name, which take a token and return the claims, throw or reject.
 *
 * @param {ReturnType<typeof import('../tokens.mjs').makeKey>} key
 */
export async function peerVerifiers(key) {
  return {
    'fast-jwt': fastJwt(key),
    jsonwebtoken: (token) => jsonwebtoken.verify(token, key.publicKey, EXPECTED),
    '@nestjs/jwt': nestJwt(key),
    'aws-jwt-verify': awsJwtVerify(key),
    jose: await jose(key),
  };
}

/**
 * @param {ReturnType<typeof import('../tokens.mjs').makeKey>} key
 * @param {{ cache?: number | false }} [options] the number of tokens that it caches
 */
export function fastJwt({ publicKey }, { cache = false } = {}) {
  // It takes a PEM, from which it makes one KeyObject.
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return createVerifier({
    key: pem,
    algorithms: ['ES256'],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    cache,
  });
}

/** @param {ReturnType<typeof import('../tokens.mjs').makeKey>} key */
export async function jose({ jwk }) {
  // A CryptoKey, because jose converts a KeyObject into one and looks that up for each token.
  const cryptoKey = await importJWK(jwk, 'ES256');
  return (token) => jwtVerify(token, cryptoKey, EXPECTED);
}

function nestJwt({ publicKey }) {
  const service = new JwtService({ publicKey, verifyOptions: EXPECTED });
  return (token) => service.verify(token);
}

function awsJwtVerify({ jwk }) {
  const verifier = JwtVerifier.create({
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUri: `${ISSUER}/jwks.json`,
  });
  verifier.cacheJwks({ keys: [jwk] });
  return (token) => verifier.verifySync(token);
}
