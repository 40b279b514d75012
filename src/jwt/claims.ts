import {
  KmsJwtOptionsError,
  TokenClaimError,
  TokenExpiredError,
  TokenNotActiveError,
} from '../errors/errors.js';
import { isMistakable, isPlainObject, lossInJson, MISTAKABLE } from './json.js';

/** The claims of a token (RFC 7519, section 4). Times are NumericDates: seconds since 1970-01-01T00:00:00Z. */
export interface JwtClaims {
  /** Issuer. */
  iss?: string;
  /** Subject. */
  sub?: string;
  /** Audience. */
  aud?: string | string[];
  /** Expiration time, in seconds. */
  exp?: number;
  /** Not before, in seconds. */
  nbf?: number;
  /** Issued at, in seconds. */
  iat?: number;
  /** JWT ID. */
  jti?: string;
  [claim: string]: unknown;
}

/** What a signer adds to the payload. Durations are whole seconds. */
export interface ClaimsToAdd {
  expiresIn?: number;
  notBefore?: number;
  audience?: string | string[];
  issuer?: string;
  subject?: string;
  jwtid?: string;
  noTimestamp?: boolean;
}

/** One value that a claim may have: the whole string, or whatever the expression matches. */
export type Expected = string | RegExp;

/** What a verifier asks of the claims. Durations and times are seconds. */
export interface ClaimsToExpect {
  audience?: readonly Expected[];
  issuer?: readonly Expected[];
  subject?: string;
  jwtid?: string;
  nonce?: string;
  requiredClaims?: readonly string[];
  maxAge?: number;
  clockTolerance?: number;
  ignoreExpiration?: boolean;
  ignoreNotBefore?: boolean;
}

type ClaimType = readonly [accepts: (value: unknown) => boolean, expected: string];

const text: ClaimType = [(value) => typeof value === 'string', 'must be a string'];
// The last second that a Date can tell (ECMA-262, section 21.4.1.1).
const LAST_DATE = 8_640_000_000_000;
const numericDate: ClaimType = [
  (value) => typeof value === 'number' && value >= 0 && value <= LAST_DATE,
  'must be a number of seconds since 1970',
];
// A later year is a time in milliseconds by mistake: such a token would never expire.
const LAST_SECOND = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000;
const wholeSecond: ClaimType = [
  (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LAST_SECOND,
  'must be a whole number of seconds (not milliseconds) since 1970',
];
const isTextList = (value: unknown) =>
  Array.isArray(value) && value.every((member) => typeof member === 'string');

const READ_TYPES: ReadonlyMap<string, ClaimType> = new Map([
  ['iss', text],
  ['sub', text],
  [
    'aud',
    [(value) => typeof value === 'string' || isTextList(value), 'must be a string or an array of strings'],
  ],
  ['exp', numericDate],
  ['nbf', numericDate],
  ['iat', numericDate],
  ['jti', text],
]);
const WRITTEN_TYPES: ReadonlyMap<string, ClaimType> = new Map([
  ...READ_TYPES,
  ['exp', wholeSecond],
  ['nbf', wholeSecond],
  ['iat', wholeSecond],
]);

/**
 * The claims of a new token: the payload, and what the options add to it.
 *
 * @param now seconds since 1970; a payload's own `iat` takes its place, as in @nestjs/jwt
 * @throws KmsJwtOptionsError for a payload that is not a plain object, a claim of the wrong type, or one that both the
 * payload and the options set
 */
export function makeClaims(payload: object, add: ClaimsToAdd, now: number): JwtClaims {
  const claims = readPayload(() => copyOf(payload));
  checkTypes(
    claims,
    WRITTEN_TYPES,
    (claim, expected) => new KmsJwtOptionsError(`payload.${claim}`, expected),
  );

  const issuedAt = claims.iat ?? Math.floor(now);
  if (add.noTimestamp) delete claims.iat;
  else claims.iat = issuedAt;

  const set = (claim: string, option: string, value: unknown) => {
    if (value === undefined) return;
    const [accepts, expected] = WRITTEN_TYPES.get(claim) as ClaimType;
    if (!accepts(value))
      throw new KmsJwtOptionsError(option, `makes of ${claim} what it cannot be: it ${expected}`);
    if (claims[claim] !== undefined) {
      throw new KmsJwtOptionsError(
        option,
        `cannot be used with a payload that has ${claim}: set one of the two`,
      );
    }
    claims[claim] = value;
  };
  set('exp', 'expiresIn', add.expiresIn === undefined ? undefined : issuedAt + add.expiresIn);
  set('nbf', 'notBefore', add.notBefore === undefined ? undefined : issuedAt + add.notBefore);
  set('aud', 'audience', add.audience);
  set('iss', 'issuer', add.issuer);
  set('sub', 'subject', add.subject);
  set('jti', 'jwtid', add.jwtid);
  return claims;
}

function copyOf(payload: unknown): JwtClaims {
  if (isPlainObject(payload) && typeof payload['toJSON'] !== 'function') return { ...payload };
  throw new KmsJwtOptionsError('payload', 'must be a plain object');
}

/**
 * The claims as JSON that says all of them.
 *
 * @throws KmsJwtOptionsError that names the claim
 */
export function serializeClaims(claims: JwtClaims): string {
  return readPayload(() => {
    if (Object.keys(claims).some(isMistakable)) throw new KmsJwtOptionsError('payload', MISTAKABLE);
    for (const [claim, value] of Object.entries(claims)) {
      const loss = value === undefined ? undefined : lossInJson(value);
      if (loss) throw new KmsJwtOptionsError(`payload.${claim}`, loss);
    }
    return JSON.stringify(claims);
  });
}

/** A payload that throws while it is read (a getter, a circle, a depth beyond the stack) is the caller's mistake. */
function readPayload<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof KmsJwtOptionsError) throw error;
    throw new KmsJwtOptionsError('payload', 'must be serializable as JSON');
  }
}

/**
 * Holds the claims of a token whose signature verified against what the verifier asks.
 *
 * @param now seconds since 1970
 * @throws TokenClaimError, TokenExpiredError, TokenNotActiveError
 */
export function checkClaims(claims: JwtClaims, expect: ClaimsToExpect, now: number): void {
  checkTypes(claims, READ_TYPES, (claim, expected) => new TokenClaimError(claim, expected));
  for (const claim of expect.requiredClaims ?? []) {
    if (!Object.hasOwn(claims, claim)) throw new TokenClaimError(claim, 'is missing');
  }
  checkTimes(claims, expect, now);
  checkMember('aud', claims.aud, expect.audience);
  checkMember('iss', claims.iss, expect.issuer);
  checkSame('sub', claims.sub, expect.subject);
  checkSame('jti', claims.jti, expect.jwtid);
  checkSame('nonce', claims['nonce'], expect.nonce);
}

function checkTimes(claims: JwtClaims, expect: ClaimsToExpect, now: number): void {
  const tolerance = expect.clockTolerance ?? 0;
  const { nbf = -Infinity, exp = Infinity } = claims;
  if (!expect.ignoreNotBefore && now < nbf - tolerance) {
    throw new TokenNotActiveError(new Date(nbf * 1000));
  }
  if (!expect.ignoreExpiration && now >= exp + tolerance) {
    throw new TokenExpiredError(new Date(exp * 1000));
  }
  if (expect.maxAge === undefined) return;
  if (claims.iat === undefined) throw new TokenClaimError('iat', 'is missing');
  if (claims.iat > now + tolerance) throw new TokenClaimError('iat', 'lies in the future');
  if (now >= claims.iat + expect.maxAge + tolerance) {
    throw new TokenExpiredError(
      new Date((claims.iat + expect.maxAge) * 1000),
      'The token is older than maxAge',
    );
  }
}

function checkMember(
  claim: string,
  value: string | string[] | undefined,
  expected: readonly Expected[] | undefined,
): void {
  if (expected === undefined) return;
  if (value === undefined) throw new TokenClaimError(claim, 'is missing');
  const values = typeof value === 'string' ? [value] : value;
  if (!values.some((member) => expected.some((one) => matches(member, one)))) {
    throw new TokenClaimError(claim, 'is not what is expected here');
  }
}

function matches(value: string, expected: Expected): boolean {
  // Not `test`, which begins where an expression with the flag g or y stopped the last time.
  return typeof expected === 'string' ? value === expected : value.search(expected) !== -1;
}

function checkSame(claim: string, value: unknown, expected: string | undefined): void {
  if (expected === undefined) return;
  if (value === undefined) throw new TokenClaimError(claim, 'is missing');
  if (value !== expected) throw new TokenClaimError(claim, 'is not what is expected here');
}

function checkTypes(
  claims: JwtClaims,
  claimTypes: ReadonlyMap<string, ClaimType>,
  refusal: (claim: string, expected: string) => Error,
): void {
  for (const [claim, [accepts, expected]] of claimTypes) {
    const value = claims[claim];
    if (value !== undefined && !accepts(value)) throw refusal(claim, expected);
  }
}
