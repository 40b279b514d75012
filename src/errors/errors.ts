/** Every code that an error of this library carries; stable from version to version. */
export type KmsJwtErrorCode =
  | 'token_missing'
  | 'token_malformed'
  | 'token_signature_invalid'
  | 'token_key_unknown'
  | 'token_expired'
  | 'token_not_active'
  | 'token_claim_invalid'
  | 'token_revoked'
  | 'token_rejected'
  | 'token_ambiguous'
  | 'insufficient_scope'
  | 'revocation_unavailable'
  | 'kms_unavailable'
  | 'jwks_unavailable'
  | 'kms_key_invalid'
  | 'kms_access_denied'
  | 'kms_signature_invalid'
  | 'options_invalid';

/**
 * The root of every error that this library throws. Neither its message nor its `cause` holds a token, a signing input
 * or the value of a claim.
 *
 * @example
 * try {
 *   await jwt.verify(token);
 * } catch (error) {
 *   if (error instanceof KmsJwtError && error.retryable) scheduleAnotherTry();
 * }
 */
export abstract class KmsJwtError extends Error {
  /** What went wrong, for programs. */
  abstract readonly code: KmsJwtErrorCode;
  /** Whether the same call may succeed later without anybody mending anything. */
  readonly retryable: boolean = false;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The token is bad, whatever KMS says: a 401 where a guard meets it (RFC 6750, section 3.1, `invalid_token`). */
export abstract class TokenError extends KmsJwtError {}

/** The request carries no token. RFC 6750, section 3: the challenge then names no error. */
export class TokenMissingError extends TokenError {
  readonly code = 'token_missing';

  constructor(message = 'The request carries no bearer token') {
    super(message);
  }
}

/** The token is not a JWS in compact serialization with JSON objects inside (RFC 7515, section 7.1; RFC 7519, section 7.2). */
export class TokenMalformedError extends TokenError {
  readonly code = 'token_malformed';
}

/** The signature is not the key's, or the header asks for another algorithm than the key's (RFC 8725, section 3.1). */
export class TokenSignatureError extends TokenError {
  readonly code = 'token_signature_invalid';

  constructor(message = 'The signature of the token does not verify') {
    super(message);
  }
}

/** The header's `kid` names none of the keys that this service trusts, or there is no `kid`. */
export class TokenKeyUnknownError extends TokenError {
  readonly code = 'token_key_unknown';

  constructor(message = 'The token names no key that is known here') {
    super(message);
  }
}

/** `exp` or the verifier's `maxAge` has passed (RFC 7519, section 4.1.4). */
export class TokenExpiredError extends TokenError {
  readonly code = 'token_expired';

  /** @param expiredAt when the token ceased to be valid, `clockTolerance` left aside */
  constructor(
    readonly expiredAt: Date,
    message = 'The token has expired',
  ) {
    super(message);
  }
}

/** `nbf` lies in the future (RFC 7519, section 4.1.5). */
export class TokenNotActiveError extends TokenError {
  readonly code = 'token_not_active';

  /** @param date when the token becomes valid, `clockTolerance` left aside */
  constructor(readonly date: Date) {
    super('The token is not active yet');
  }
}

/** A claim is missing, of the wrong type, or not what the verifier asked for. */
export class TokenClaimError extends TokenError {
  readonly code = 'token_claim_invalid';

  /**
   * @param claim the claim's name, such as `aud`
   * @param problem what is wrong with it, to follow its name in the message
   */
  constructor(
    readonly claim: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`The claim ${claim} ${problem}`, options);
  }
}

/** The app's own `isRevoked` says that this token is not to be accepted any more. */
export class TokenRevokedError extends TokenError {
  readonly code = 'token_revoked';

  constructor() {
    super('The token has been revoked');
  }
}

/** The app's own `authenticate`, or its schema, returned no user for a valid token: a 401. */
export class TokenRejectedError extends TokenError {
  readonly code = 'token_rejected';

  constructor() {
    super('The token was rejected by the app');
  }
}

/** The request carries tokens in more than one place: a 400 (RFC 6750, section 3.1, `invalid_request`). */
export class TokenAmbiguousError extends KmsJwtError {
  readonly code = 'token_ambiguous';

  constructor() {
    super('The request carries more than one bearer token');
  }
}

/** The token is good, but does not allow this: a 403 (RFC 6750, section 3.1, `insufficient_scope`). */
export class InsufficientScopeError extends KmsJwtError {
  readonly code = 'insufficient_scope';

  /** @param scopes what would have been needed, all of it */
  constructor(readonly scopes: readonly string[]) {
    super(`The request needs the scope ${scopes.join(' ')}`);
  }
}

/** `isRevoked` threw, was silent beyond `timeout` or answered neither true nor false: a 503, never a pass. */
export class RevocationUnavailableError extends KmsJwtError {
  readonly code = 'revocation_unavailable';
  override readonly retryable = true;
}

/**
 * Why KMS could not answer: it refused for now, said nothing in time, could not be reached, or broke. Or why it was not
 * asked: more calls at a time than `maxConcurrency` and `maxQueue`, or than KMS answers in time (`overloaded`), no answer to
 * the last ones (`circuit_open`), or a shutdown.
 */
export type KmsUnavailableReason =
  'throttled' | 'timeout' | 'network' | 'failure' | 'overloaded' | 'circuit_open' | 'shutdown';

/** KMS cannot answer now: a 503 where a guard or the filter meets it, never a 401. */
export class KmsUnavailableError extends KmsJwtError {
  readonly code = 'kms_unavailable';
  override readonly retryable = true;

  constructor(
    readonly reason: KmsUnavailableReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The key set of the issuer cannot be fetched now: a 503 where a guard or the filter meets it, never a 401. */
export class JwksUnavailableError extends KmsJwtError {
  readonly code = 'jwks_unavailable';
  override readonly retryable = true;
}

/** The key does not exist, is disabled or pending deletion, or is of the wrong spec or usage. */
export class KmsKeyError extends KmsJwtError {
  readonly code = 'kms_key_invalid';
}

/** AWS does not let this process use the key: no permission, or no valid credentials. */
export class KmsAccessDeniedError extends KmsJwtError {
  readonly code = 'kms_access_denied';
}

/** What KMS returned is not a signature of this token by this key. The token is withheld. */
export class KmsSignatureError extends KmsJwtError {
  readonly code = 'kms_signature_invalid';
}

/** The caller's options or payload are wrong: a mistake in the program, never in a token. */
export class KmsJwtOptionsError extends KmsJwtError {
  readonly code = 'options_invalid';

  /**
   * @param option the path of the option or claim, such as `signOptions.expiresIn` or `payload.exp`
   * @param problem what is expected of it, to follow its name in the message
   */
  constructor(
    readonly option: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`KmsJwt: ${option} ${problem}`, options);
  }
}
