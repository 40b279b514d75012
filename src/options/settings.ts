// The options after reading, for the rest of the library. Durations are seconds, except for `limits.timeout`.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Algorithm } from '../jwt/algorithms.js';
import type { ClaimsToAdd, ClaimsToExpect } from '../jwt/claims.js';
import type { JwtHeader } from '../jwt/compact.js';
import type { JsonWebKey } from '../jwt/jwk.js';
import type {
  KidOption,
  KmsJwtModuleOptions,
  RevocationCheck,
  TokenExtractor,
  VerificationMode,
} from './kms-jwt.options.js';
import type { CacheOptions, LimitOptions } from './limits.options.js';
import type { IssuerLookupFunction } from './issuers.options.js';
import type { IssuerSettings } from './read-issuers.js';
import type { KmsJwtRingStore } from './rotation.options.js';

/** `KmsJwtModuleOptions` after reading: in the same groups, with every default except that of `guard.tokenFrom`. */
export interface KmsJwtSettings {
  keyId: string | undefined;
  jwksUri: string | undefined;
  jwks: { keys: readonly object[] } | undefined;
  issuers: readonly IssuerSettings[] | IssuerLookupFunction | undefined;
  algorithms: readonly Algorithm[];
  kid: KidOption;
  client: NonNullable<KmsJwtModuleOptions['client']>;
  regions: readonly string[];
  messageType: 'DIGEST' | 'RAW';
  requestAlias: boolean;
  lazy: boolean;
  isRevoked: RevocationCheck | undefined;
  cache: Required<CacheOptions> | false;
  sign: SignSettings;
  verify: VerifySettings;
  rotation: RotationSettings;
  limits: LimitSettings;
  guard: GuardSettings;
}

/** `SignOptions` after reading. */
export interface SignSettings extends ClaimsToAdd {
  header?: JwtHeader;
  signal?: AbortSignal;
}

/** `VerifyOptions` after reading: single values as lists. */
export interface VerifySettings extends ClaimsToExpect {
  typ?: string;
  clockTimestamp?: number;
  schema?: StandardSchemaV1;
  complete?: boolean;
  /** By name. */
  issuers?: readonly string[];
  /** The options of the call or the route, without the module's defaults: for tokens of other issuers. */
  asked?: VerifySettings;
  /** Absent: `local`. */
  verification?: VerificationMode;
}

/** `RotationOptions` after reading. */
export interface RotationSettings {
  refreshInterval: number;
  activationDelay: number;
  /** `undefined`: as long as the longest-lived token that was signed here, which only the key ring knows. */
  retireAfter: number | undefined;
  verificationKeys: readonly (string | JsonWebKey)[];
  /** By kid or thumbprint. */
  distrustedKeys: readonly string[];
  maxStale: number;
  store: KmsJwtRingStore | undefined;
}

/** `LimitOptions` after reading. */
export type LimitSettings = Required<LimitOptions>;

/** `GuardOptions` after reading. */
export interface GuardSettings {
  /** `undefined`: the guard's own default, `fromAuthHeader()`. */
  tokenFrom: readonly TokenExtractor[] | undefined;
  property: string;
  endAtExpiry: boolean;
  /** `undefined`: never. */
  recheckInterval: number | undefined;
  /** Serialized; `undefined`: no handshake may have its token in a cookie and an `Origin`. */
  allowedOrigins: readonly string[] | undefined;
}
