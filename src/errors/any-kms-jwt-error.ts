import type {
  AuthenticationTimeoutError,
  InsufficientScopeError,
  JwksUnavailableError,
  KmsAccessDeniedError,
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
  OriginNotAllowedError,
  RevocationUnavailableError,
  SchemaUnavailableError,
  IssuerUnavailableError,
  TokenAmbiguousError,
  TokenClaimError,
  TokenExpiredError,
  TokenKeyDisabledError,
  TokenKeyNotInKmsError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenMissingError,
  TokenNotActiveError,
  TokenRejectedError,
  TokenRevokedError,
  TokenSignatureError,
} from './errors.js';

/**
 * Every error of this library, as a union that narrows by `code`.
 *
 * @example
 * ```ts
 * function detailOf(error: AnyKmsJwtError) {
 *   switch (error.code) {
 *     case 'token_claim_invalid':
 *       return error.claim;
 *     case 'kms_unavailable':
 *       return error.reason;
 *   }
 * }
 * ```
 */
export type AnyKmsJwtError =
  | TokenMissingError
  | TokenMalformedError
  | TokenSignatureError
  | TokenKeyUnknownError
  | TokenKeyDisabledError
  | TokenKeyNotInKmsError
  | TokenExpiredError
  | TokenNotActiveError
  | TokenClaimError
  | TokenRevokedError
  | TokenRejectedError
  | TokenAmbiguousError
  | InsufficientScopeError
  | OriginNotAllowedError
  | RevocationUnavailableError
  | SchemaUnavailableError
  | IssuerUnavailableError
  | AuthenticationTimeoutError
  | KmsUnavailableError
  | JwksUnavailableError
  | KmsKeyError
  | KmsAccessDeniedError
  | KmsSignatureError
  | KmsJwtOptionsError;
