export { Claims, Public } from './auth/decorators.js';
export { KmsJwtExceptionFilter } from './auth/kms-jwt.filter.js';
export { KmsJwtGuard } from './auth/kms-jwt.guard.js';
export { fromAuthHeader, type TokenCarrier, type TokenExtractor } from './auth/token-extractors.js';
export {
  KmsAccessDeniedError,
  KmsJwtError,
  type KmsJwtErrorCode,
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
  type KmsUnavailableReason,
  TokenClaimError,
  TokenError,
  TokenExpiredError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenMissingError,
  TokenNotActiveError,
  TokenSignatureError,
} from './errors.js';
export type { Expected, JwtClaims } from './jwt/claims.js';
export type { JwtHeader } from './jwt/compact.js';
export type { JsonWebKey, JsonWebKeySet } from './jwt/jwk.js';
export { KmsJwtModule } from './kms-jwt.module.js';
export type { KmsJwtModuleExtras } from './kms-jwt.module-definition.js';
export type {
  DecodeOptions,
  Duration,
  KidOption,
  KmsJwtModuleOptions,
  KmsJwtOptionsFactory,
  SignOptions,
  VerifyOptions,
} from './kms-jwt.options.js';
export { type CompleteJwt, KmsJwtService } from './kms-jwt.service.js';
export { getKmsJwtToken, InjectKmsJwt } from './kms-jwt.tokens.js';
