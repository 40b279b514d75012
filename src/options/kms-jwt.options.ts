import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ClaimsToAdd, ClaimsToExpect, Expected, JwtClaims } from '../jwt/claims.js';
import type { JwtHeader } from '../jwt/compact.js';
import type { JsonWebKey } from '../jwt/jwk.js';

/**
 * A span of time: a number of whole seconds, or a text with its unit, such as `'15m'`, `'12h'` or `'7d'`, as the
 * package `ms` reads it. A text without a unit is refused: `ms` would take `'900'` for 900 milliseconds.
 */
export type Duration = number | string;

/** How one token is signed; `signOptions` of the module gives the defaults. */
export interface SignOptions {
  /** How long the token is valid from `iat` on; sets `exp`. Default: no `exp`, so that it never expires. */
  expiresIn?: Duration;
  /** How long after `iat` the token becomes valid (may be negative); sets `nbf`. Default: no `nbf`. */
  notBefore?: Duration;
  /** Sets `aud`. */
  audience?: string | string[];
  /** Sets `iss`. */
  issuer?: string;
  /** Sets `sub`. */
  subject?: string;
  /** Sets `jti`. */
  jwtid?: string;
  /**
   * Further header parameters, such as `{ typ: 'at+jwt' }` (RFC 9068). `alg` and `kid` come from the key; `crit`,
   * `b64` (RFC 7797) and `enc` (RFC 7516) are not supported: none of the five can be set.
   */
  header?: Record<string, unknown> & { typ?: string } & {
    [Reserved in 'alg' | 'kid' | 'crit' | 'b64' | 'enc']?: never;
  };
  /** Leaves `iat` out. Default: false. */
  noTimestamp?: boolean;
  /** Gives up when it aborts: `sign` then rejects with the signal's reason at once. */
  signal?: AbortSignal;
}

/** How one token is verified; `verifyOptions` of the module gives the defaults. */
export interface VerifyOptions {
  /**
   * Who may be meant by `aud`: one of these must be among them, as a whole string or as the expression matches.
   * Default: the module's `signOptions.audience`; where there is none, `aud` is not looked at.
   */
  audience?: Expected | Expected[];
  /** Who may be in `iss`. Default: the module's `signOptions.issuer`; where there is none, `iss` is not looked at. */
  issuer?: Expected | Expected[];
  /** What `sub` must be. */
  subject?: string;
  /** What `jti` must be. */
  jwtid?: string;
  /** What `nonce` must be (OpenID Connect Core 1.0, section 3.1.3.7). */
  nonce?: string;
  /** Claims that must be there, whatever their value. */
  requiredClaims?: string[];
  /**
   * What the header's `typ` must be (RFC 8725, section 3.11), told apart without case and with or without
   * `application/`. Default: `JWT`, or no `typ`.
   */
  typ?: string;
  /** How old the token may be, counted from `iat`, which it must then have. Default: any age. */
  maxAge?: Duration;
  /** By how many seconds the clocks of signer and verifier may differ. Default: 0. */
  clockTolerance?: number;
  /** The time to verify for, in seconds since 1970. Default: now. */
  clockTimestamp?: number;
  /** Accepts expired tokens. Default: false. */
  ignoreExpiration?: boolean;
  /** Accepts tokens before their `nbf`. Default: false. */
  ignoreNotBefore?: boolean;
  /**
   * Any Standard Schema (zod, valibot, ArkType, …) for the claims; `verify` returns its output. A token that does not
   * fit is refused with a `TokenClaimError`.
   */
  schema?: StandardSchemaV1;
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean;
}

/** Options of `decode`. */
export interface DecodeOptions {
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean;
}

/** The options of `verify` that may also stand for every token of the module, or of a route. */
export type RouteVerifyOptions = Omit<VerifyOptions, 'complete' | 'clockTimestamp'>;

/**
 * What a token can be read from. On HTTP it is the request itself, as Express, Fastify or Node made it; other transports
 * give what they have of it: the handshake of a WebSocket, the metadata of a gRPC call, the headers of a message.
 */
export interface TokenCarrier {
  /** By lower-case name. */
  headers: Record<string, string | string[] | undefined>;
  /** As a cookie parser left them, where the app has one. */
  cookies?: unknown;
  query?: unknown;
  /** As the request line has it; empty where there is none. */
  url?: string;
  /** The body of the request; on transports without a body, the data of the message. */
  body?: unknown;
}

/**
 * Finds the token in a request: `null` or `undefined` where there is none. Functions of passport-jwt's `ExtractJwt` are
 * token extractors.
 */
export type TokenExtractor = (request: TokenCarrier) => string | null | undefined;

/**
 * Tells whether a token is not to be accepted any more.
 *
 * @param claims of a token that is valid in every other respect
 * @param header of the same token
 */
export type RevocationCheck = (claims: JwtClaims, header: JwtHeader) => boolean | Promise<boolean>;

/**
 * What a key is called in tokens and key sets:
 * `'key-id'`, the last part of its ARN; `'thumbprint'`, RFC 7638's SHA-256 thumbprint; or what a function makes of the
 * key's ARN and its public JWK.
 */
export type KidOption =
  'key-id' | 'thumbprint' | ((key: { keyArn: string; jwk: Omit<JsonWebKey, 'kid'> }) => string);

/**
 * What is kept of a ring, as JSON: public keys alone, and when they change their part. Times are milliseconds since
 * 1970.
 */
export interface StoredRing {
  /** The `name` of the module's instance. */
  instance: string;
  savedAt: number;
  /** In seconds. */
  longestLifetime?: number;
  active?: { keyArn: string; jwk: JsonWebKey };
  next?: { keyArn: string; jwk: JsonWebKey; activatesAt: number };
  retired: { jwk: JsonWebKey; retiresAt: number; knownAt: number }[];
}

/**
 * A place where the keys of a rotation survive a restart. Whoever can write there can have tokens accepted: protect it
 * as you protect the configuration.
 *
 * @example
 * const ringStore: KmsJwtRingStore = {
 *   load: async () => JSON.parse((await redis.get('auth:ring')) ?? 'null') ?? undefined,
 *   save: async (ring) => void (await redis.set('auth:ring', JSON.stringify(ring))),
 * };
 */
export interface KmsJwtRingStore {
  /** What was saved last; undefined where nothing was. */
  load(): Promise<StoredRing | undefined>;
  save(ring: StoredRing): Promise<void>;
}

/**
 * The options of `KmsJwtModule.forRoot`, and of what `forRootAsync` resolves to. One of `keyId`, `jwksUri` and `jwks` says
 * where the keys are: the latter two for services that only verify.
 */
export interface KmsJwtModuleOptions {
  /** The key that signs: key id, key ARN, alias name (`alias/…`) or alias ARN. It must be ECC_NIST_P256 for SIGN_VERIFY. */
  keyId?: string;
  /**
   * Further keys that verify and are published: the next one, so that all know it before the alias moves to it, or former
   * ones. Keys of KMS as for `keyId`, or public JWKs. Default: none.
   */
  verificationKeys?: (string | JsonWebKey)[];
  /**
   * The Regions of a Multi-Region key, in the order of preference. The first signs; where it is unavailable the next does,
   * within the same `timeout`. Default: the client's Region alone.
   */
  regions?: string[];
  /** How often an alias is looked up again. Default: 300 seconds, 10 % more or less. */
  refreshInterval?: Duration;
  /**
   * For how long a key is published before it signs, when the alias has moved to it; 0 for at once. A key that was published
   * before signs at once. Default: 690 seconds: `refreshInterval` and 10 % of it, until every instance publishes the key, and
   * 360 more, until no cache has a key set of the time before.
   */
  activationDelay?: Duration;
  /**
   * For how long a key verifies after another has taken its place. Default: as long as the longest-lived token that was
   * signed here since the start, or `signOptions.expiresIn` where that is longer, and 24 hours where a token lives for
   * ever; and for one `refreshInterval` more, in which other instances may go on signing with it. Give it where tokens live
   * longer than `signOptions.expiresIn` says.
   */
  retireAfter?: Duration;
  /**
   * Where the keys of a rotation survive a restart. Default: nowhere: what starts in the middle of a rotation then signs with
   * the new key at once, and knows the old one only from `verificationKeys`.
   */
  ringStore?: KmsJwtRingStore;
  /**
   * The key set of the issuer, for a service that only verifies: it needs neither AWS nor its SDK. https, or http on
   * loopback. It is fetched again as its `Cache-Control` says, and the last one stays while the issuer is away.
   */
  jwksUri?: string;
  /** The key set itself, for a service that only verifies. */
  jwks?: { keys: readonly object[] };
  /**
   * The KMS client, or the configuration of one. Default: `new KMSClient({})`, with AWS's own chains for region and
   * credentials; where `keyId` is an ARN and no region is configured here, the ARN's region. With `regions` a configuration,
   * or a function that gives the client of each. A client that is handed in is left alone at shutdown; one that is made here is destroyed.
   */
  client?: KMSClient | KMSClientConfig | ((region: string) => KMSClient);
  /** Defaults for every `sign`. Issuer and audience are also what `verify` expects, unless it is told otherwise. */
  signOptions?: Omit<SignOptions, 'signal'>;
  /** Defaults for every `verify`, the guard's included. */
  verifyOptions?: RouteVerifyOptions;
  /** What the key is called in tokens and key sets. Default: `'key-id'`. */
  kid?: KidOption;
  /**
   * What is sent to KMS (AWS `Sign`, `MessageType`): `'DIGEST'`, the SHA-256 of the token, or `'RAW'`, the token
   * itself, up to 4,096 bytes. Default: `'DIGEST'`.
   */
  messageType?: 'DIGEST' | 'RAW';
  /**
   * How long `sign` may take, and how long each call of KMS, its wait for a turn and its retries included. In milliseconds.
   * Default: 3000.
   */
  timeout?: number;
  /**
   * How many calls of KMS may be under way at a time; a client that is made here has as many sockets. Default: 50, the
   * SDK's own number of sockets: raise `maxSockets` of a client of your own with it.
   */
  maxConcurrency?: number;
  /**
   * How many calls more may wait for their turn, each for half of `timeout`; the next is refused at once with a
   * `KmsUnavailableError`. Default: 1000.
   */
  maxQueue?: number;
  /** How long a token may be to be verified or decoded, in characters. Default: 16384. */
  maxTokenLength?: number;
  /** Fetches the public key at the first use instead of at start. Default: false. */
  lazy?: boolean;
  /**
   * Sends `keyId`, an alias, in Sign calls instead of the key's ARN, for key policies with the condition key
   * `kms:RequestAlias`. Default: false, so that a moved alias cannot sign under another key's `kid`.
   */
  requestAlias?: boolean;
  /**
   * Where the guard looks for the token. It must be in one of these places: a request with two tokens is refused (RFC
   * 6750, section 2). Default: `fromAuthHeader()`.
   */
  tokenFrom?: TokenExtractor | TokenExtractor[];
  /** The property of the request that the guard puts the claims at. Default: `'user'`, as passport does. */
  property?: string;
  /**
   * Asked for every token that is valid in all other respects. Where it throws, or does not answer `true` or `false`
   * within `timeout`, the token is refused with a `RevocationUnavailableError`: a 503. Default: nothing is revoked.
   */
  isRevoked?: RevocationCheck;
}

/** What `useClass` and `useExisting` of `forRootAsync` must implement. */
export interface KmsJwtOptionsFactory {
  createKmsJwtOptions(): KmsJwtModuleOptions | Promise<KmsJwtModuleOptions>;
}

/** `SignOptions` after reading: durations in seconds. */
export interface SignSettings extends ClaimsToAdd {
  header?: JwtHeader;
  signal?: AbortSignal;
}

/** `VerifyOptions` after reading: durations in seconds, lists as lists. */
export interface VerifySettings extends ClaimsToExpect {
  typ?: string;
  clockTimestamp?: number;
  schema?: StandardSchemaV1;
  complete?: boolean;
}

/** The module's options after reading, every default in place. Durations in seconds, but for `timeout`. */
export interface KmsJwtSettings {
  keyId: string | undefined;
  jwksUri: string | undefined;
  jwks: { keys: readonly object[] } | undefined;
  verificationKeys: readonly (string | JsonWebKey)[];
  regions: readonly string[];
  refreshInterval: number;
  activationDelay: number;
  retireAfter: number | undefined;
  ringStore: KmsJwtRingStore | undefined;
  client: NonNullable<KmsJwtModuleOptions['client']>;
  sign: SignSettings;
  verify: VerifySettings;
  kid: KidOption;
  messageType: 'DIGEST' | 'RAW';
  timeout: number;
  maxConcurrency: number;
  maxQueue: number;
  maxTokenLength: number;
  lazy: boolean;
  requestAlias: boolean;
  isRevoked: RevocationCheck | undefined;
  guard: GuardSettings;
}

/** What the guard has to know of the module's options. */
export interface GuardSettings {
  tokenFrom: readonly TokenExtractor[] | undefined;
  property: string;
}

/** For how long caches may keep the key set, in seconds: RFC 9111's max-age, and stale-while-revalidate of RFC 5861. */
export const JWKS_MAX_AGE = 300;
export const JWKS_STALE_WHILE_REVALIDATE = 60;
/** By which part of it, up or down, the time to the next refresh is drawn, so that a fleet does not ask all at once. */
export const REFRESH_JITTER = 0.1;
