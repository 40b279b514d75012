import { createPublicKey } from 'node:crypto';
import { JwtService } from '@nestjs/jwt';
import { JwtVerifier } from 'aws-jwt-verify';
import { JwtBaseError } from 'aws-jwt-verify/error';
import { type Algorithm as FastJwtAlgorithm, createVerifier, TokenError as FastJwtError } from 'fast-jwt';
import { createLocalJWKSet, errors as joseErrors, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import type { AlgorithmName, VerifyOptions } from 'nestjs-kms-jwt';
import type { Ability, Trust } from './support.js';
import type { Verifier } from './verifier.js';

const NIST = ['ES256', 'ES384', 'ES512'] as const;
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const ML_DSA = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const;
/** WebCrypto, which jose uses, reports whether it supports ML-DSA. */
const HAS_ML_DSA = 'supports' in crypto.subtle.constructor;

// Or expressions, if a peer supports them.
const texts = (value: VerifyOptions['audience']) => value as string | undefined;
// The corpus has every maxAge in this form; the units of the peers differ.
const HOUR = 3600;

export function jose({ alg, jwks }: Trust): Verifier {
  const keySet = createLocalJWKSet(jwks as never);
  return {
    name: 'jose',
    algorithms: new Set([...NIST, ...RSA, 'Ed25519', 'EdDSA', ...(HAS_ML_DSA ? ML_DSA : [])]),
    abilities: new Set<Ability>([
      'audience',
      'issuer',
      'subject',
      'requiredClaims',
      'typ',
      'maxAge',
      'clockTolerance',
      'clockTimestamp',
    ]),
    verify: (token, { audience, issuer, maxAge, clockTimestamp, ...options }) =>
      jwtVerify(token as string, keySet, {
        algorithms: [alg],
        ...pick(options, 'subject', 'requiredClaims', 'typ', 'clockTolerance'),
        ...(audience !== undefined && { audience: texts(audience) }),
        ...(issuer !== undefined && { issuer: texts(issuer) }),
        ...(maxAge !== undefined && { maxTokenAge: HOUR }),
        ...(clockTimestamp !== undefined && { currentDate: new Date(clockTimestamp * 1000) }),
      }),
    isRefusal: (error) => error instanceof joseErrors.JOSEError,
  };
}

const JSONWEBTOKEN: Pick<Verifier, 'abilities' | 'algorithms' | 'isRefusal'> = {
  algorithms: new Set([...NIST, ...RSA]),
  abilities: new Set<Ability>([
    'audience',
    'issuer',
    'subject',
    'jwtid',
    'nonce',
    'maxAge',
    'clockTolerance',
    'clockTimestamp',
    'refusesBytes',
  ]),
  isRefusal: (error) => error instanceof jsonwebtoken.JsonWebTokenError,
};

function toJsonwebtoken(alg: AlgorithmName, { audience, issuer, ...options }: VerifyOptions) {
  return {
    algorithms: [alg] as jsonwebtoken.Algorithm[],
    ...(pick(
      options,
      'subject',
      'jwtid',
      'nonce',
      'maxAge',
      'clockTolerance',
      'clockTimestamp',
    ) as jsonwebtoken.VerifyOptions),
    ...(audience !== undefined && { audience: texts(audience) }),
    ...(issuer !== undefined && { issuer: texts(issuer) }),
  };
}

function viaJsonwebtoken({ alg, jwks }: Trust): Verifier {
  return {
    name: 'jsonwebtoken',
    ...JSONWEBTOKEN,
    verify: (token, options) =>
      new Promise((resolve, reject) => {
        jsonwebtoken.verify(
          token as string,
          ({ kid }, answer) => {
            const key = pemNamed(kid, jwks);
            if (key) answer(null, key);
            else answer(new Error('There is no such key'));
          },
          toJsonwebtoken(alg, options),
          (error, claims) => (error ? reject(error) : resolve(claims)),
        );
      }),
  };
}

function nestjsJwt({ alg, jwks }: Trust): Verifier {
  const jwt = new JwtService({
    secretOrKeyProvider: (_, token) => {
      const decoded = jsonwebtoken.decode(token as string, { complete: true });
      const key = pemNamed(decoded?.header.kid, jwks);
      if (key) return key;
      throw new jsonwebtoken.JsonWebTokenError('There is no such key');
    },
  });
  return {
    name: '@nestjs/jwt',
    ...JSONWEBTOKEN,
    verify: (token, options) => jwt.verifyAsync(token as string, toJsonwebtoken(alg, options)),
  };
}

function fastJwt({ alg, jwks }: Trust): Verifier {
  return {
    name: 'fast-jwt',
    algorithms: new Set([...NIST, ...RSA, 'EdDSA']),
    abilities: new Set<Ability>([
      'audience',
      'issuer',
      'subject',
      'jwtid',
      'nonce',
      'requiredClaims',
      'typ',
      'maxAge',
      'clockTolerance',
      'clockTimestamp',
      'expectsByExpression',
    ]),
    verify: (token, options) => {
      const { audience, issuer, subject, jwtid, nonce, typ, maxAge } = options;
      // An allowed value of a claim is checked only if the claim is present, unless it is also required.
      const required = [
        ...(options.requiredClaims ?? []),
        ...Object.entries({ iss: issuer, aud: audience, sub: subject, jti: jwtid, nonce, iat: maxAge })
          .filter(([, asked]) => asked !== undefined)
          .map(([claim]) => claim),
      ];
      const verify = createVerifier({
        algorithms: [alg as FastJwtAlgorithm],
        key: async ({ header }: { header: { kid?: unknown } }) => {
          const key = pemNamed(header.kid, jwks);
          if (key) return key;
          throw new Error('There is no such key');
        },
        requiredClaims: required,
        ...(issuer !== undefined && { allowedIss: texts(issuer) }),
        ...(audience !== undefined && { allowedAud: texts(audience) }),
        ...(subject !== undefined && { allowedSub: subject }),
        ...(jwtid !== undefined && { allowedJti: jwtid }),
        ...(nonce !== undefined && { allowedNonce: nonce }),
        ...(typ !== undefined && { checkTyp: typ }),
        ...(maxAge !== undefined && { maxAge: HOUR * 1000 }),
        ...(options.clockTolerance !== undefined && { clockTolerance: options.clockTolerance * 1000 }),
        ...(options.clockTimestamp !== undefined && { clockTimestamp: options.clockTimestamp * 1000 }),
      });
      return verify(token as string);
    },
    isRefusal: (error) => error instanceof FastJwtError,
  };
}

function awsJwtVerify({ jwks }: Trust): Verifier {
  return {
    name: 'aws-jwt-verify',
    algorithms: new Set([...NIST, 'RS256', 'RS384', 'RS512', 'EdDSA']),
    abilities: new Set<Ability>(['audience', 'issuer', 'clockTolerance', 'refusesBytes']),
    verify: (token, { audience, issuer, clockTolerance }) => {
      const verifier = JwtVerifier.create({
        issuer: texts(issuer) ?? null,
        audience: texts(audience) ?? null,
        jwksUri: 'https://auth.example/jwks.json',
        ...(clockTolerance !== undefined && { graceSeconds: clockTolerance }),
      });
      verifier.cacheJwks(jwks as never);
      return verifier.verifySync(token as string);
    },
    isRefusal: (error) => error instanceof JwtBaseError,
  };
}

/** The peers with the key and all checks that their documentation recommends. */
export const peers = [jose, viaJsonwebtoken, nestjsJwt, fastJwt, awsJwtVerify];

function pemNamed(kid: unknown, { keys }: Trust['jwks']): string | undefined {
  const jwk = keys.find((key) => key['kid'] === kid);
  const key = jwk && createPublicKey({ key: jwk as never, format: 'jwk' });
  return key?.export({ type: 'spki', format: 'pem' }).toString();
}

function pick<T extends object, K extends keyof T>(from: T, ...names: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(
    names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]),
  ) as Partial<Pick<T, K>>;
}
