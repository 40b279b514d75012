import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { JwtService } from '@nestjs/jwt';
import { Test } from '@nestjs/testing';
import { JwtVerifier } from 'aws-jwt-verify';
import { JwtBaseError } from 'aws-jwt-verify/error';
import { createVerifier, TokenError as FastJwtError } from 'fast-jwt';
import { createLocalJWKSet, errors as joseErrors, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import {
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  TokenError,
  type VerifyOptions,
} from 'nestjs-kms-jwt';
import { type Ability, abilitiesFor, type Case, jwksOf, keyNamed, type Keys, optionsOf } from './support.js';

export interface Verifier {
  readonly name: string;
  readonly abilities: ReadonlySet<Ability>;
  /** Throws, or rejects, where it refuses. */
  verify(token: unknown, options: VerifyOptions): unknown;
  /** Whether that is how it says no, by its own documentation. */
  isRefusal(error: unknown): boolean;
}

export type Verdict = 'accepted' | 'refused' | 'foreign error' | 'n/a';

export async function judge(verifier: Verifier, one: Case, keys: Keys): Promise<Verdict> {
  if (!abilitiesFor(one, keys).every((ability) => verifier.abilities.has(ability))) return 'n/a';
  const token = one.make(keys);
  try {
    await verifier.verify(token, optionsOf(one, keys));
    return 'accepted';
  } catch (error) {
    return verifier.isRefusal(error) ? 'refused' : 'foreign error';
  }
}

/**
 * A service of this library that trusts the key; whoever makes it closes it.
 *
 * @param cache with one, each token is verified twice in a row, and both verdicts have to be the same
 */
export async function startOurs(
  keys: Keys,
  maxTokenLength?: number,
  cache: KmsJwtModuleOptions['cache'] = {},
): Promise<Verifier & { service: KmsJwtService; close: () => Promise<void> }> {
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot({ jwks: jwksOf(keys), limits: { maxTokenLength }, cache })],
  }).compile();
  await module.init();
  const service = module.get(KmsJwtService);
  return {
    name: 'nestjs-kms-jwt',
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
      'maxTokenLength',
      'refusesBoundTokens',
      'refusesBytes',
      'refusesOtherTypes',
      'tellsDates',
    ]),
    verify: async (token, options) => {
      const verify = () => service.verify(token as string, options);
      return cache ? twice(verify) : verify();
    },
    isRefusal: (error) => error instanceof TokenError,
    service,
    close: () => module.close(),
  };
}

/** @throws what both calls threw; Error if the second, which a cache may answer, has another outcome than the first */
async function twice(verify: () => Promise<unknown>): Promise<unknown> {
  const [first] = await Promise.allSettled([verify()]);
  const [second] = await Promise.allSettled([verify()]);
  if (!isDeepStrictEqual(outcomeOf(first), outcomeOf(second)))
    throw new Error('The second verdict is another');
  if (first.status === 'rejected') throw first.reason;
  return first.value;
}

function outcomeOf(settled: PromiseSettledResult<unknown>): unknown {
  return settled.status === 'fulfilled' ? settled.value : String(settled.reason);
}

// Or expressions, where a peer is able to expect by them.
const texts = (value: VerifyOptions['audience']) => value as string | undefined;
// The corpus spells every maxAge so; each peer has a unit of its own.
const HOUR = 3600;

export function jose(keys: Keys): Verifier {
  const keySet = createLocalJWKSet(jwksOf(keys));
  return {
    name: 'jose',
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
        algorithms: ['ES256'],
        ...pick(options, 'subject', 'requiredClaims', 'typ', 'clockTolerance'),
        ...(audience !== undefined && { audience: texts(audience) }),
        ...(issuer !== undefined && { issuer: texts(issuer) }),
        ...(maxAge !== undefined && { maxTokenAge: HOUR }),
        ...(clockTimestamp !== undefined && { currentDate: new Date(clockTimestamp * 1000) }),
      }),
    isRefusal: (error) => error instanceof joseErrors.JOSEError,
  };
}

const JSONWEBTOKEN: Pick<Verifier, 'abilities' | 'isRefusal'> = {
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

function toJsonwebtoken({ audience, issuer, ...options }: VerifyOptions) {
  return {
    algorithms: ['ES256'] as jsonwebtoken.Algorithm[],
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

function viaJsonwebtoken(keys: Keys): Verifier {
  return {
    name: 'jsonwebtoken',
    ...JSONWEBTOKEN,
    verify: (token, options) =>
      new Promise((resolve, reject) => {
        jsonwebtoken.verify(
          token as string,
          ({ kid }, answer) => {
            const key = keyNamed(keys, kid);
            if (key) answer(null, key);
            else answer(new Error('There is no such key'));
          },
          toJsonwebtoken(options),
          (error, claims) => (error ? reject(error) : resolve(claims)),
        );
      }),
  };
}

function nestjsJwt(keys: Keys): Verifier {
  const jwt = new JwtService({
    secretOrKeyProvider: (_, token) => {
      const decoded = jsonwebtoken.decode(token as string, { complete: true });
      const key = keyNamed(keys, decoded?.header.kid);
      if (key) return pemOf(key);
      throw new jsonwebtoken.JsonWebTokenError('There is no such key');
    },
  });
  return {
    name: '@nestjs/jwt',
    ...JSONWEBTOKEN,
    verify: (token, options) => jwt.verifyAsync(token as string, toJsonwebtoken(options)),
  };
}

function fastJwt(keys: Keys): Verifier {
  return {
    name: 'fast-jwt',
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
      // What is allowed for a claim is not asked of a token without it, unless it is required too.
      const required = [
        ...(options.requiredClaims ?? []),
        ...Object.entries({ iss: issuer, aud: audience, sub: subject, jti: jwtid, nonce, iat: maxAge })
          .filter(([, asked]) => asked !== undefined)
          .map(([claim]) => claim),
      ];
      const verify = createVerifier({
        algorithms: ['ES256'],
        key: async ({ header }: { header: { kid?: unknown } }) => {
          const key = keyNamed(keys, header.kid);
          if (key) return pemOf(key);
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

function awsJwtVerify(keys: Keys): Verifier {
  return {
    name: 'aws-jwt-verify',
    abilities: new Set<Ability>(['audience', 'issuer', 'clockTolerance', 'refusesBytes']),
    verify: (token, { audience, issuer, clockTolerance }) => {
      const verifier = JwtVerifier.create({
        issuer: texts(issuer) ?? null,
        audience: texts(audience) ?? null,
        jwksUri: 'https://auth.example/jwks.json',
        ...(clockTolerance !== undefined && { graceSeconds: clockTolerance }),
      });
      verifier.cacheJwks(jwksOf(keys) as never);
      return verifier.verifySync(token as string);
    },
    isRefusal: (error) => error instanceof JwtBaseError,
  };
}

/** The peers with the key and everything that their documentation tells careful users to ask for. */
export const peers = [jose, viaJsonwebtoken, nestjsJwt, fastJwt, awsJwtVerify];

const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

function pick<T extends object, K extends keyof T>(from: T, ...names: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(
    names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]),
  ) as Partial<Pick<T, K>>;
}
