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
  /** The options of the call, without the module's defaults: only the defaults give way to the payload. */
  asked?: ClaimsToAdd;
}

/** One expected value of a claim: equal to the string, or matched by the expression. */
export type Expected = string | RegExp;

/** One expected value of any claim. */
export type ExpectedClaim = Expected | number | boolean;

/** What a verifier expects of the claims. Durations and times are seconds. */
export interface ClaimsToExpect {
  audience?: readonly Expected[];
  issuer?: readonly Expected[];
  subject?: string;
  jwtid?: string;
  nonce?: string;
  requiredClaims?: readonly string[];
  /** Further claims, each with its accepted values. */
  claims?: readonly (readonly [claim: string, expected: readonly ExpectedClaim[]])[];
  maxAge?: number;
  clockTolerance?: number;
  ignoreExpiration?: boolean;
  ignoreNotBefore?: boolean;
}

type ClaimType = readonly [accepts: (value: unknown) => boolean, expected: string];

const string: ClaimType = [(value) => typeof value === 'string', 'must be a string'];
// The last second that a Date can represent (ECMA-262, section 21.4.1.1).
const LAST_DATE = 8_640_000_000_000;
const numericDate: ClaimType = [
  (value) => typeof value === 'number' && value >= 0 && value <= LAST_DATE,
  'must be a number of seconds since 1970',
];
// A later time is in milliseconds by mistake: such a token would never expire.
const LAST_SECOND = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000;
const wholeSecond: ClaimType = [
  (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LAST_SECOND,
  'must be a whole number of seconds (not milliseconds) since 1970',
];
const isStringList = (value: unknown) =>
  Array.isArray(value) && value.every((member) => typeof member === 'string');

const READ_TYPES: ReadonlyMap<string, ClaimType> = new Map([
  ['iss', string],
  ['sub', string],
  [
    'aud',
    [(value) => typeof value === 'string' || isStringList(value), 'must be a string or an array of strings'],
  ],
  ['exp', numericDate],
  ['nbf', numericDate],
  ['iat', numericDate],
  ['jti', string],
]);
const WRITTEN_TYPES: ReadonlyMap<string, ClaimType> = new Map([
  ...READ_TYPES,
  ['exp', wholeSecond],
  ['nbf', wholeSecond],
  ['iat', wholeSecond],
]);

// Arrays, because they are iterated for each token.
const READ = [...READ_TYPES];
const WRITTEN = [...WRITTEN_TYPES];

/**
 * The claims of a new token: the payload, and what the options add to it.
 *
 * @param now seconds since 1970; the payload's own `iat` overrides it, as in `@nestjs/jwt`
 * @throws KmsJwtOptionsError for a payload that is not a plain object, a claim of the wrong type, or one that is set both
 * in the payload and in the options
 */
export function makeClaims(payload: object, add: ClaimsToAdd, now: number): JwtClaims {
  const claims = readPayload(() => copyOf(payload));
  checkTypes(claims, WRITTEN, wrongTypeWritten);

  const issuedAt = claims.iat ?? Math.floor(now);
  if (add.noTimestamp) delete claims.iat;
  else claims.iat = issuedAt;

  const set = (claim: string, option: keyof ClaimsToAdd, value: unknown) => {
    if (value === undefined) return;
    if (claims[claim] !== undefined) {
      if (add.asked?.[option] === undefined) return;
      const problem = `cannot be combined with a payload that has ${claim}: set one of the two`;
      throw new KmsJwtOptionsError(option, problem);
    }
    const [accepts, expected] = WRITTEN_TYPES.get(claim) as ClaimType;
    if (!accepts(value))
      throw new KmsJwtOptionsError(option, `puts ${claim} out of range: ${claim} ${expected}`);
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
 * The claims as JSON.
 *
 * @throws KmsJwtOptionsError for a claim that JSON would change or drop
 */
export function serializeClaims(claims: JwtClaims): string {
  return readPayload(() => {
    const names = Object.keys(claims);
    if (names.some(isMistakable)) throw new KmsJwtOptionsError('payload', MISTAKABLE);
    for (const claim of names) {
      const value = claims[claim];
      const loss = value === undefined ? undefined : lossInJson(value);
      if (loss) throw new KmsJwtOptionsError(`payload.${claim}`, loss);
    }
    return JSON.stringify(claims);
  });
}

/** A payload that throws while it is read (a getter, a cycle, too many levels) is an error of the caller. */
function readPayload<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof KmsJwtOptionsError) throw error;
    throw new KmsJwtOptionsError('payload', 'must be serializable as JSON');
  }
}

/**
 * Checks the claims of a token whose signature has been verified.
 *
 * @param now seconds since 1970
 * @throws TokenClaimError, TokenExpiredError, TokenNotActiveError
 */
export function checkClaims(claims: JwtClaims, expect: ClaimsToExpect, now: number): void {
  checkTypes(claims, READ, wrongTypeRead);
  // RFC 9449, section 7.1, and RFC 8705, section 3: without the proof, a stolen token could be used.
  if (Object.hasOwn(claims, 'cnf')) {
    throw new TokenClaimError(
      'cnf',
      'unsupported',
      'The cnf claim binds the token to a key or certificate, and proof of possession is not supported',
    );
  }
  if (expect.requiredClaims) checkRequired(claims, expect.requiredClaims);
  checkTimes(claims, expect, now);
  checkMember('aud', 'audience', claims.aud, expect.audience);
  checkMember('iss', 'issuer', claims.iss, expect.issuer);
  checkSame('sub', 'subject', claims.sub, expect.subject);
  checkSame('jti', 'jwtid', claims.jti, expect.jwtid);
  checkSame('nonce', 'nonce', claims['nonce'], expect.nonce);
  if (expect.claims) checkOthers(claims, expect.claims);
}

function checkRequired(claims: JwtClaims, required: readonly string[]): void {
  for (const claim of required) {
    if (!Object.hasOwn(claims, claim)) throw missing(claim);
  }
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
  if (claims.iat === undefined) throw missing('iat');
  if (claims.iat > now + tolerance)
    throw new TokenClaimError('iat', 'mismatch', 'The iat claim is in the future');
  if (now >= claims.iat + expect.maxAge + tolerance) {
    throw new TokenExpiredError(
      new Date((claims.iat + expect.maxAge) * 1000),
      'The token is older than maxAge',
    );
  }
}

/** When a verifier with these expectations refuses the token as expired, in seconds since 1970; Infinity: never. */
export function expiryOf(claims: JwtClaims, expect: ClaimsToExpect): number {
  const { exp = Infinity, iat = Infinity } = claims;
  const end = Math.min(expect.ignoreExpiration ? Infinity : exp, iat + (expect.maxAge ?? Infinity));
  return end + (expect.clockTolerance ?? 0);
}

function checkMember(
  claim: string,
  option: string,
  value: string | string[] | undefined,
  expected: readonly Expected[] | undefined,
): void {
  if (expected === undefined) return;
  if (value === undefined) throw missing(claim);
  const isExpected =
    typeof value === 'string' ? isOneOf(value, expected) : value.some((member) => isOneOf(member, expected));
  if (!isExpected) throw mismatch(claim, option);
}

/** An array in the token has to contain an expected value. */
function checkOthers(claims: JwtClaims, expect: NonNullable<ClaimsToExpect['claims']>): void {
  for (const [claim, expected] of expect) {
    const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    if (value === undefined) throw missing(claim);
    const isExpected = [value].flat().some((member) => expected.some((one) => equals(member, one)));
    if (!isExpected) throw mismatch(claim, 'value');
  }
}

const equals = (value: unknown, expected: ExpectedClaim) =>
  expected instanceof RegExp ? typeof value === 'string' && matches(value, expected) : value === expected;

function isOneOf(value: string, expected: readonly Expected[]): boolean {
  for (const one of expected) if (matches(value, one)) return true;
  return false;
}

function missing(claim: string): TokenClaimError {
  return new TokenClaimError(claim, 'missing', `The ${claim} claim is missing`);
}

function mismatch(claim: string, option: string): TokenClaimError {
  return new TokenClaimError(claim, 'mismatch', `The ${claim} claim does not match the expected ${option}`);
}

function matches(value: string, expected: Expected): boolean {
  // Not `test`: with the flag g or y it starts where the last match ended.
  return typeof expected === 'string' ? value === expected : value.search(expected) !== -1;
}

function checkSame(claim: string, option: string, value: unknown, expected: string | undefined): void {
  if (expected === undefined) return;
  if (value === undefined) throw missing(claim);
  if (value !== expected) throw mismatch(claim, option);
}

function checkTypes(
  claims: JwtClaims,
  claimTypes: readonly (readonly [claim: string, type: ClaimType])[],
  refusal: (claim: string, expected: string) => Error,
): void {
  for (const [claim, type] of claimTypes) {
    const value = claims[claim];
    if (value !== undefined && !type[0](value)) throw refusal(claim, type[1]);
  }
}

function wrongTypeRead(claim: string, expected: string): TokenClaimError {
  return new TokenClaimError(claim, 'type', `The ${claim} claim ${expected}`);
}

function wrongTypeWritten(claim: string, expected: string): KmsJwtOptionsError {
  return new KmsJwtOptionsError(`payload.${claim}`, expected);
}
