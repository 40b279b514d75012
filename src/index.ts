/**
 * The module, the service, the guard and its decorators, the errors and the types of the options.
 *
 * @module nestjs-kms-jwt
 */

export { Claims, OptionalAuth, Public, Scopes, VerifyWith } from './auth/decorators.js';
export { Issuers, TokenIssuer } from './auth/issuer-decorators.js';
export { KmsJwtExpiryInterceptor } from './auth/kms-jwt.expiry-interceptor.js';
export { KmsJwtExceptionFilter } from './auth/kms-jwt.filter.js';
export { KmsJwtGuard } from './auth/kms-jwt.guard.js';
export type { ReferenceOptions } from './auth/transports/graphql-reference.js';
export { guardHandshakes } from './auth/transports/guard-handshakes.js';
export { toHttpException } from './auth/transports/http-refusal.js';
export { handshakeMiddleware } from './auth/transports/handshake-middleware.js';
export type { HandshakeOptions } from './auth/transports/handshake-verdict.js';
export type { ConnectionOptions } from './auth/transports/transport.js';
export { claimsOf } from './auth/request-claims.js';
export { fromAuthHeader, fromBody, fromCookie, fromHeader, fromQuery } from './auth/token-extractors.js';
export type { AnyKmsJwtError } from './errors/any-kms-jwt-error.js';
export {
  InsufficientScopeError,
  JwksUnavailableError,
  KmsAccessDeniedError,
  KmsJwtError,
  type KmsJwtErrorCode,
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
  type KmsUnavailableReason,
  OriginNotAllowedError,
  RevocationUnavailableError,
  SchemaUnavailableError,
  IssuerUnavailableError,
  AuthenticationTimeoutError,
  TokenAmbiguousError,
  TokenClaimError,
  type TokenClaimErrorReason,
  TokenError,
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
} from './errors/errors.js';
export { FileRingStore } from './keys/file-ring-store.js';
export type { AlgorithmName } from './jwt/algorithms.js';
export type { Expected, ExpectedClaim, JwtClaims } from './jwt/claims.js';
export type { JwtHeader } from './jwt/compact.js';
export type { JsonWebKey, JsonWebKeySet, JsonWebKeyWithoutKid, JwkMembers } from './jwt/jwk.js';
export type { RingHealth } from './keys/ring-health.js';
export type { KmsJwtEvent } from './events/kms-jwt.events.js';
export { KmsJwtModule } from './module/kms-jwt.module.js';
export type { Duration } from './options/duration.js';
export type {
  DecodeOptions,
  GuardOptions,
  KidOption,
  KmsJwtModuleOptions,
  KmsJwtOptionsFactory,
  RevocationCheck,
  RouteVerifyOptions,
  SignOptions,
  TokenCarrier,
  TokenExtractor,
  VerificationMode,
  VerifyOptions,
} from './options/kms-jwt.options.js';
export type { CacheOptions, LimitOptions } from './options/limits.options.js';
export type { IssuerKeys, IssuerLookupFunction, IssuerOptions } from './options/issuers.options.js';
export type { KmsJwtModuleExtras } from './options/module-extras.js';
export type { KmsJwtRingStore, RotationOptions, StoredRing } from './options/rotation.options.js';
export type { KmsJwtHealth } from './service/kms-jwt-health.js';
export type { CompleteJwt } from './service/complete-jwt.js';
export { KmsJwtService } from './service/kms-jwt.service.js';
export { getKmsJwtOptionsToken, getKmsJwtServiceToken, InjectKmsJwt } from './service/inject-kms-jwt.js';
