/** The `code` of every error of this library; stable across versions. */
export type KmsJwtErrorCode =
  | 'token_missing'
  | 'token_malformed'
  | 'token_signature_invalid'
  | 'token_key_unknown'
  | 'token_key_disabled'
  | 'token_key_not_in_kms'
  | 'token_expired'
  | 'token_not_active'
  | 'token_claim_invalid'
  | 'token_revoked'
  | 'token_rejected'
  | 'token_ambiguous'
  | 'insufficient_scope'
  | 'origin_not_allowed'
  | 'revocation_unavailable'
  | 'schema_unavailable'
  | 'issuer_unavailable'
  | 'authentication_timeout'
  | 'kms_unavailable'
  | 'jwks_unavailable'
  | 'kms_key_invalid'
  | 'kms_access_denied'
  | 'kms_signature_invalid'
  | 'options_invalid';

/**
 * The base class of every error of this library. Neither its message nor its `cause` contains a token, a signing input or
 * the value of a claim. See `AnyKmsJwtError` for the union of the classes.
 *
 * @example
 * ```ts
 * try {
 *   await jwt.verify(token);
 * } catch (error) {
 *   if (error instanceof KmsJwtError && error.retryable) scheduleAnotherTry();
 * }
 * ```
 */
export abstract class KmsJwtError extends Error {
  /** Identifies the error, for programs. */
  abstract readonly code: KmsJwtErrorCode;
  /** The name of the class, unchanged by minifiers. */
  abstract override readonly name: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean = false;
}
