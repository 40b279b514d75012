import type { JwtClaims } from '../jwt/claims.js';
import type { JwtHeader } from '../jwt/compact.js';

/** What `verify` and `decode` return for `{ complete: true }`. */
export interface CompleteJwt<Claims = JwtClaims> {
  header: JwtHeader;
  payload: Claims;
  /** In base64url, as in the token. */
  signature: string;
}
