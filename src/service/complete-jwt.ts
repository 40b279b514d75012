import type { JwtClaims } from '../jwt/claims.js';
import type { JwtHeader } from '../jwt/compact.js';

/** What `verify` and `decode` return for `{ complete: true }`. */
export interface CompleteJwt<Claims = JwtClaims> {
  /** The JOSE header. */
  header: JwtHeader;
  /** The claims. */
  payload: Claims;
  /** In base64url, as in the token. */
  signature: string;
}
