import { KmsJwtOptionsError, TokenClaimError, TokenRejectedError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import { isPlainObject } from '../jwt/json.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';
import { notAccepted, type TrustSource } from '../service/trust-sources.js';
import type { RouteVerifyOptions } from '../options/kms-jwt.options.js';

/** A verified token, and its claims. */
export interface Verified {
  readonly token: string;
  readonly claims: JwtClaims;
  /** Whose keys verified it; undefined without the option `issuers`, and if an overridden `authenticate` accepted it. */
  readonly source: TrustSource | undefined;
  /** The name of its issuer; undefined if an overridden `authenticate` accepted it, whatever its `iss` is. */
  readonly issuerName: string | undefined;
  /** The service that verified it, and the name of its registration. */
  readonly jwt: KmsJwtService;
  readonly registration: string;
}

/**
 * Checks the claims that an overridden `authenticate`, or a schema, returned.
 *
 * @throws TokenRejectedError for null, undefined and false, passport's convention for a user who does not exist
 * @throws KmsJwtOptionsError for anything else that is not a plain object
 */
export function checkAuthenticated(claims: unknown): JwtClaims {
  if (isPlainObject(claims)) return claims;
  if (claims === null || claims === undefined || claims === false) throw new TokenRejectedError();
  throw new KmsJwtOptionsError(
    'authenticate',
    'must resolve to a plain object, or to null to refuse the token',
  );
}

/** @throws TokenClaimError unless the token is of one of the issuers that the route accepts */
export function checkIssuer(issuerName: string | undefined, options: RouteVerifyOptions | undefined): void {
  const { issuers } = options ?? {};
  if (issuers && (issuerName === undefined || !issuers.includes(issuerName))) throw notAccepted();
}

/** @throws TokenClaimError unless both tokens have the same issuer and subject; two without `sub` may be of two users */
export function checkSameSubject(current: JwtClaims, renewed: JwtClaims): void {
  for (const claim of ['iss', 'sub']) {
    const isUnknown = claim === 'sub' && current[claim] === undefined;
    if (isUnknown || current[claim] !== renewed[claim]) {
      throw new TokenClaimError(claim, 'mismatch', `The ${claim} claim does not match the connection`);
    }
  }
}
