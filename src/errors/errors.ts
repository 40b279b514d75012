import { KmsJwtError } from './kms-jwt-error.js';

export { KmsJwtError, type KmsJwtErrorCode } from './kms-jwt-error.js';

/** The token is missing or not valid: a 401 from the guard and the filter (RFC 6750, section 3.1, `invalid_token`). */
export abstract class TokenError extends KmsJwtError {}

/** The request carries no token: a 401 whose challenge contains no `error` (RFC 6750, section 3). */
export class TokenMissingError extends TokenError {
  override readonly name = 'TokenMissingError';
  readonly code = 'token_missing';

  constructor(message = 'The request carries no bearer token') {
    super(message);
  }
}

/** The token is not a JWS in compact serialization with JSON objects inside (RFC 7515, section 7.1; RFC 7519, section 7.2). */
export class TokenMalformedError extends TokenError {
  override readonly name = 'TokenMalformedError';
  readonly code = 'token_malformed';
}

/** The signature does not verify, or `alg` is not the algorithm of the key (RFC 8725, section 3.1). */
export class TokenSignatureError extends TokenError {
  override readonly name = 'TokenSignatureError';
  readonly code = 'token_signature_invalid';

  constructor(message = 'The signature of the token does not verify', options?: ErrorOptions) {
    super(message, options);
  }
}

/** The `kid` of the token is missing, or is not that of a trusted key. */
export class TokenKeyUnknownError extends TokenError {
  override readonly name = 'TokenKeyUnknownError';
  readonly code = 'token_key_unknown';

  constructor(message = 'The kid of the token is missing or unknown') {
    super(message);
  }
}

/** With `verification: 'kms'`: KMS no longer verifies with the key of the token, because it is disabled or pending deletion. */
export class TokenKeyDisabledError extends TokenError {
  override readonly name = 'TokenKeyDisabledError';
  readonly code = 'token_key_disabled';

  constructor(options?: ErrorOptions) {
    super('The key of the token is disabled or pending deletion', options);
  }
}

/** With `verification: 'kms'`: the key of the token is trusted but is not in KMS, so KMS cannot verify the signature. */
export class TokenKeyNotInKmsError extends TokenError {
  override readonly name = 'TokenKeyNotInKmsError';
  readonly code = 'token_key_not_in_kms';

  constructor() {
    super('The key of the token is not in KMS');
  }
}

/** `exp` or the verifier's `maxAge` has passed (RFC 7519, section 4.1.4). */
export class TokenExpiredError extends TokenError {
  override readonly name = 'TokenExpiredError';
  readonly code = 'token_expired';

  /** @param expiredAt when the token expired, without `clockTolerance` */
  constructor(
    readonly expiredAt: Date,
    message = 'The token has expired',
  ) {
    super(message);
  }
}

/** `nbf` is in the future (RFC 7519, section 4.1.5). */
export class TokenNotActiveError extends TokenError {
  override readonly name = 'TokenNotActiveError';
  readonly code = 'token_not_active';

  /** @param date when the token becomes valid, without `clockTolerance` */
  constructor(readonly date: Date) {
    super('The token is not active yet');
  }
}

/**
 * Why a claim was refused: `missing` (required, but absent), `mismatch` (not the expected value), `type` (of the wrong type),
 * `schema` (refused by the schema) or `unsupported` (`cnf`, which requires proof of possession: RFC 7800).
 */
export type TokenClaimErrorReason = 'missing' | 'mismatch' | 'type' | 'schema' | 'unsupported';

/** A claim is missing, of the wrong type, or does not match what the verifier expects. */
export class TokenClaimError extends TokenError {
  override readonly name = 'TokenClaimError';
  readonly code = 'token_claim_invalid';

  /**
   * @param claim the name of the claim, such as `aud`; `(all)` if the schema refused the claims as a whole
   * @param reason why, for programs
   * @param message sent to the client; it must contain neither the expected nor the actual value
   */
  constructor(
    readonly claim: string,
    readonly reason: TokenClaimErrorReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** `isRevoked` returned true. */
export class TokenRevokedError extends TokenError {
  override readonly name = 'TokenRevokedError';
  readonly code = 'token_revoked';

  constructor() {
    super('The token has been revoked');
  }
}

/** The app's own `authenticate`, or its schema, returned no user for a valid token: a 401. */
export class TokenRejectedError extends TokenError {
  override readonly name = 'TokenRejectedError';
  readonly code = 'token_rejected';

  constructor() {
    super('The token was rejected by the app');
  }
}

/** The request carries more than one token: a 400 (RFC 6750, section 3.1, `invalid_request`). */
export class TokenAmbiguousError extends KmsJwtError {
  override readonly name = 'TokenAmbiguousError';
  readonly code = 'token_ambiguous';

  constructor() {
    super('The request carries more than one bearer token');
  }
}

/** The token is valid, but lacks a scope: a 403 (RFC 6750, section 3.1, `insufficient_scope`). */
export class InsufficientScopeError extends KmsJwtError {
  override readonly name = 'InsufficientScopeError';
  readonly code = 'insufficient_scope';

  /** @param scopes all scopes that the route requires */
  constructor(readonly scopes: readonly string[]) {
    super(`The request needs the scope ${scopes.join(' ')}`);
  }
}

/**
 * The token is in a cookie, and a page of another site may have opened the WebSocket: its `Origin` is not one of
 * `guard.allowedOrigins`. A 403.
 */
export class OriginNotAllowedError extends KmsJwtError {
  override readonly name = 'OriginNotAllowedError';
  readonly code = 'origin_not_allowed';

  constructor() {
    super('The origin of the connection is not allowed');
  }
}

/** `isRevoked` threw, exceeded `limits.timeout`, or returned neither true nor false: a 503. */
export class RevocationUnavailableError extends KmsJwtError {
  override readonly name = 'RevocationUnavailableError';
  readonly code = 'revocation_unavailable';
  override readonly retryable = true;
}

/** An asynchronous `schema` rejected or exceeded `limits.timeout`: a 503. Issues that it reports result in a `TokenClaimError`. */
export class SchemaUnavailableError extends KmsJwtError {
  override readonly name = 'SchemaUnavailableError';
  readonly code = 'schema_unavailable';
  override readonly retryable = true;
}

/** The function `issuers` threw or exceeded `limits.timeout`, or too many issuers are being looked up at the same time: a 503. */
export class IssuerUnavailableError extends KmsJwtError {
  override readonly name = 'IssuerUnavailableError';
  readonly code = 'issuer_unavailable';
  override readonly retryable = true;
}

/** When a WebSocket was opened, an overridden `authenticate` did not settle within five times `limits.timeout`: a 503. */
export class AuthenticationTimeoutError extends KmsJwtError {
  override readonly name = 'AuthenticationTimeoutError';
  readonly code = 'authentication_timeout';
  override readonly retryable = true;
}

/**
 * Why KMS is unavailable.
 *
 * - `throttled`, `timeout`, `network`, `failure`: KMS, or the provider of the credentials, throttled the call, exceeded
 *   `limits.timeout`, could not be reached, or failed;
 * - `overloaded`: no call was made, because `limits.maxConcurrency` and `limits.maxQueue` were exhausted;
 * - `blocked`: the event loop of this process was blocked for too long, whether or not KMS answered;
 * - `circuit_open`, `shutdown`: no call was made, because the circuit was open or the app was shutting down;
 * - `alias_moved`: the alias has moved to a key that may not sign yet, and other instances may already refuse tokens of the old
 * key.
 */
export type KmsUnavailableReason =
  | 'throttled'
  | 'timeout'
  | 'network'
  | 'failure'
  | 'overloaded'
  | 'blocked'
  | 'circuit_open'
  | 'shutdown'
  | 'alias_moved';

/** KMS is unavailable: a 503 from the guard and the filter, never a 401. */
export class KmsUnavailableError extends KmsJwtError {
  override readonly name = 'KmsUnavailableError';
  readonly code = 'kms_unavailable';
  override readonly retryable = true;

  /** @param reason why, for programs */
  constructor(
    readonly reason: KmsUnavailableReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The key set of the issuer is unavailable, or older than `rotation.maxStale`: a 503 from the guard and the filter, never a 401. */
export class JwksUnavailableError extends KmsJwtError {
  override readonly name = 'JwksUnavailableError';
  readonly code = 'jwks_unavailable';
  override readonly retryable = true;
}

/** The key does not exist, is disabled or pending deletion, has the wrong spec or usage, or is distrusted. */
export class KmsKeyError extends KmsJwtError {
  override readonly name = 'KmsKeyError';
  readonly code = 'kms_key_invalid';
}

/** AWS denied the use of the key: no permission, or no valid credentials. */
export class KmsAccessDeniedError extends KmsJwtError {
  override readonly name = 'KmsAccessDeniedError';
  readonly code = 'kms_access_denied';
}

/** The reply of KMS contains no valid signature of this token by this key. The token is withheld. */
export class KmsSignatureError extends KmsJwtError {
  override readonly name = 'KmsSignatureError';
  readonly code = 'kms_signature_invalid';
}

/** The options or the payload are wrong: an error in the program, never in a token. */
export class KmsJwtOptionsError extends KmsJwtError {
  override readonly name = 'KmsJwtOptionsError';
  readonly code = 'options_invalid';

  /**
   * @param option the path of the option or claim, such as `signOptions.expiresIn` or `payload.exp`
   * @param problem what is wrong or expected; follows the path in the message
   */
  constructor(
    readonly option: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`KmsJwt: ${option} ${problem}`, options);
  }
}
