/** @ts-ignore: a service that only verifies compiles without the SDK, whose types are `any` there. */
import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { AlgorithmName } from '../jwt/algorithms.js';
import type { Expected, JwtClaims } from '../jwt/claims.js';
import type { JwtHeader } from '../jwt/compact.js';
import type { JsonWebKeyWithoutKid } from '../jwt/jwk.js';
import type { Duration } from './duration.js';
import type { IssuerLookupFunction, IssuerOptions } from './issuers.options.js';
import type { CacheOptions, LimitOptions } from './limits.options.js';
import type { RotationOptions } from './rotation.options.js';

/** How one token is signed. The module's `signOptions` are the defaults. */
export interface SignOptions {
  /** How long the token is valid, counted from `iat`; sets `exp`. Default: no `exp`, so that the token never expires. */
  expiresIn?: Duration;
  /** How long after `iat` the token becomes valid; may be negative; sets `nbf`. Default: no `nbf`. */
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
   * Further header parameters, such as `{ typ: 'at+jwt' }` (RFC 9068). `alg` and `kid` come from the key and cannot be
   * set; `crit`, `b64` (RFC 7797) and `enc` (RFC 7516) are not supported.
   */
  header?: Record<string, unknown> & { typ?: string } & {
    [Reserved in 'alg' | 'kid' | 'crit' | 'b64' | 'enc']?: never;
  };
  /** Omits `iat`. Default: false. */
  noTimestamp?: boolean;
  /** Cancels `sign`, which then rejects at once with the reason of the signal. */
  signal?: AbortSignal | undefined;
}

/** Where a signature is verified: `local`, in this process; `kms`, also in AWS KMS, with one `Verify` call per token. */
export type VerificationMode = 'local' | 'kms';

/** How one token is verified. The module's `verifyOptions` are the defaults. */
export interface VerifyOptions {
  /**
   * The expected `aud`: at least one audience of the token must equal one of these strings or match one of these
   * expressions. Default: the module's `signOptions.audience`; without one, `aud` is not checked.
   */
  audience?: Expected | Expected[];
  /** The expected `iss`. Default: the module's `signOptions.issuer`; without one, `iss` is not checked. */
  issuer?: Expected | Expected[];
  /** The expected `sub`. Default: not checked. */
  subject?: string;
  /** The expected `jti`. Default: not checked. */
  jwtid?: string;
  /** The expected `nonce` (OpenID Connect Core 1.0, section 3.1.3.7). Default: not checked. */
  nonce?: string;
  /** Claims that must be present, with any value. Default: none. */
  requiredClaims?: string[];
  /**
   * The names, from the module's `issuers`, of the issuers whose tokens are accepted; `'own'` for tokens of the module's own keys.
   * Default: all of them.
   */
  issuers?: string[];
  /**
   * The expected `typ` of the header (RFC 8725, section 3.11), compared case-insensitively and with or without
   * `application/`. Default: `JWT`, or no `typ`.
   */
  typ?: string;
  /** The maximum age of the token, counted from `iat`, which is then required. Default: any age. */
  maxAge?: Duration;
  /** How many seconds the clocks of signer and verifier may differ. Default: 0. */
  clockTolerance?: number;
  /** The time at which the token is verified, in seconds since 1970. Default: now. */
  clockTimestamp?: number;
  /** Accepts expired tokens. Default: false. */
  ignoreExpiration?: boolean;
  /** Accepts tokens before their `nbf`. Default: false. */
  ignoreNotBefore?: boolean;
  /**
   * A Standard Schema (zod, valibot, ArkType, …) for the claims; `verify` returns its output. A token that does not match
   * is refused with a `TokenClaimError`. If an asynchronous schema rejects, or exceeds `limits.timeout`, the token is
   * refused with a `SchemaUnavailableError`: a 503. zod also rejects if your own code inside the schema throws: add a
   * validation issue there instead. Default: none.
   */
  schema?: StandardSchemaV1;
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean;
  /** Whether KMS verifies the signature, too. Default: the module's `verification`. */
  verification?: VerificationMode;
}

/** Options of `decode`. */
export interface DecodeOptions {
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean | undefined;
}

/** The options of `verify` that can also be set for the whole module or for a route. */
export type RouteVerifyOptions = Omit<VerifyOptions, 'complete' | 'clockTimestamp'>;

/**
 * What a token can be read from. On HTTP, it is the request object of Express, Fastify or Node; on other transports, the
 * handshake of a WebSocket, the metadata of a gRPC call or the headers of a message.
 */
export interface TokenCarrier {
  /** By name, in lower case. */
  headers: Record<string, string | string[] | undefined>;
  /** Set by a cookie parser, if the app has one. */
  cookies?: unknown;
  /** The parameters of the query string, if the framework has parsed them. */
  query?: unknown;
  /** The URL of the request line; empty if there is none. */
  url?: string;
  /** The body of the request, or the data of the message. */
  body?: unknown;
}

/**
 * Finds the token in a request; returns `null` or `undefined` if there is none. The functions of passport-jwt's
 * `ExtractJwt` are token extractors.
 */
export type TokenExtractor = (request: TokenCarrier) => string | null | undefined;

/**
 * Says whether a token has been revoked.
 *
 * @param claims the claims of a token that is valid in every other respect
 * @param header the header of the same token
 */
export type RevocationCheck = (claims: JwtClaims, header: JwtHeader) => boolean | Promise<boolean>;

/**
 * The `kid` of a key in tokens and key sets: `'key-id'`, the last part of its ARN; `'thumbprint'`, its SHA-256 thumbprint
 * (RFC 7638); or the result of a function of its ARN and its public JWK, a string of 1 to 256 characters.
 */
export type KidOption =
  'key-id' | 'thumbprint' | ((key: { keyArn: string; jwk: JsonWebKeyWithoutKid }) => string);

/** Options of `KmsJwtGuard`. */
export interface GuardOptions {
  /**
   * Where the guard looks for the token. A request with tokens in more than one of these places is refused with a
   * `TokenAmbiguousError` (RFC 6750, section 2). Default: `fromAuthHeader()`.
   */
  tokenFrom?: TokenExtractor | TokenExtractor[] | undefined;
  /**
   * The property of the request in which the guard puts the claims. In GraphQL and on sockets, several calls share the request:
   * the property has the claims of the last admitted call. Once calls of different users have shared it, reading it throws, even
   * in `handleDisconnect` and in an access log. `@Claims()` and `claimsOf(context)` always return the claims of their own call.
   * Default: `'user'`, as in passport.
   */
  property?: string | undefined;
  /**
   * Ends WebSocket connections, GraphQL subscriptions, `@Sse()` events and gRPC streams within a second after their token has
   * expired (`exp` plus `clockTolerance`, or `iat` plus `maxAge`) or its key is no longer trusted. Observables over TCP, Redis or
   * NATS need the `KmsJwtExpiryInterceptor`. Default: true.
   */
  endAtExpiry?: boolean | undefined;
  /**
   * How often the token of an open connection or stream is checked again, plus or minus 10 %: by `isRevoked`, and by KMS with
   * `verification: 'kms'`. It ends if the token is refused, or if three checks in a row fail. Default: never.
   */
  recheckInterval?: Duration | undefined;
  /**
   * The origins whose pages may open a WebSocket (of a gateway, or of graphql-ws) with a token in a cookie, such as
   * `'https://app.example.com'`: browsers send cookies with connections that other sites open, and let those sites read the
   * messages. A handshake with another `Origin` is refused with an `OriginNotAllowedError`; one without `Origin` does not come
   * from a browser. `'null'` allows sandboxed pages and files. Default: none, so that a handshake with an `Origin` and a token
   * that `fromCookie` found is refused with a `KmsJwtOptionsError`.
   */
  allowedOrigins?: string[];
}

/**
 * The options of `KmsJwtModule.forRoot`, also returned from the factory of `forRootAsync`. Set one of `keyId`, `jwksUri` and
 * `jwks`; with `issuers`, none is needed. Without a `keyId`, a service only verifies. `undefined` counts as left out, except
 * where a check could be missing because of it: it is refused for `signOptions`, `verifyOptions` and any option in them, and
 * for `verification`, `isRevoked`, `rotation.distrustedKeys` and `guard.allowedOrigins`.
 */
export interface KmsJwtModuleOptions {
  /**
   * The key that signs: key id, key ARN, alias name (`alias/…`) or alias ARN. Its key spec must fit `algorithm`
   * (ECC_NIST_P256 by default), and its key usage must be SIGN_VERIFY.
   */
  keyId?: string | undefined;
  /**
   * The JWS algorithm of the keys, or a list while a service moves from one algorithm to another. Keys of other algorithms are
   * refused, including those in key sets and stores. A key gets its one algorithm when it is read, so a list can contain only one
   * for each type of key; the `alg` of a token is only compared with it. With Ed25519, a token can have at most 4,096 bytes
   * before the signature, and KMS sees the claims. With ML-DSA, tokens have 3,100 to 6,100 more characters than with ES256.
   * Default: `'ES256'`.
   *
   * @example
   * ```ts
   * KmsJwtModule.forRoot({ keyId: 'alias/auth', algorithm: ['RS256', 'ES256'] });
   * ```
   */
  algorithm?: AlgorithmName | AlgorithmName[] | undefined;
  /**
   * The URL of the issuer's key set, for a service that only verifies: it needs neither AWS nor its SDK. https, or http on
   * loopback. It is fetched again as its `Cache-Control` says; if that fails, the last keys remain in use for
   * `rotation.maxStale`. A key that it no longer contains is dropped once a second answer, 30 seconds later, lacks it too.
   */
  jwksUri?: string | undefined;
  /** The key set itself, for a service that only verifies. */
  jwks?: { keys: readonly object[] } | undefined;
  /**
   * Other issuers whose tokens are accepted, in addition to the module's own tokens or instead of them: a list, or a function that
   * finds an issuer by its `iss`. A token is verified only with the keys and options of its own issuer.
   *
   * @example
   * ```ts
   * KmsJwtModule.forRoot({
   *   issuers: [
   *     {
   *       issuer: 'https://login.example.com/',
   *       audience: 'orders',
   *       algorithms: ['RS256'],
   *       keys: { discovery: true },
   *     },
   *   ],
   * });
   * ```
   */
  issuers?: IssuerOptions[] | IssuerLookupFunction | undefined;
  /** The `kid` of the key in tokens and key sets. Default: `'key-id'`. */
  kid?: KidOption | undefined;
  /**
   * The KMS client, or its configuration. Default: `new KMSClient({})`, which finds the Region and the credentials as usual in
   * the AWS SDK. If `keyId` is an ARN and no region is configured here, the Region is that of the ARN. With `regions`: a
   * configuration, or a function that returns the client of a Region.
   *
   * From a configuration, the module creates the client, and destroys it at shutdown. If the credentials fail (a function
   * `credentials` never settles or returns `undefined`, or AWS refuses them), the module creates a new client, which asks for
   * credentials again, once the old one is ten seconds old. Options in `requestHandler` are added to the module's own. A client
   * that the app created, even in a function, is never replaced or destroyed.
   */
  client?: KMSClient | KMSClientConfig | ((region: string) => KMSClient) | undefined;
  /**
   * The Regions of a Multi-Region key, in order of preference. The first signs; if it is unavailable, the next does, within
   * the same `limits.timeout`. Default: the Region of the client.
   */
  regions?: string[] | undefined;
  /**
   * What is sent to KMS (`MessageType` of AWS `Sign` and `Verify`): `'DIGEST'`, the hash of the token (for ML-DSA its μ, as
   * `EXTERNAL_MU`; for Ed25519 the token itself, because KMS accepts no hash), or `'RAW'`, the token itself, up to 4,096 bytes.
   * Default: `'DIGEST'`.
   */
  messageType?: 'DIGEST' | 'RAW' | undefined;
  /**
   * Sends `keyId`, an alias, in every Sign call, for key policies with the condition key `kms:RequestAlias`. A new key then
   * signs at once, before other instances and caches have it, and `sign` may reject with the reason `alias_moved` in the
   * minutes after a move. Default: false: Sign names the key's ARN, unless the last lookup of the alias is too old.
   */
  requestAlias?: boolean | undefined;
  /** Fetches the public key at the first use instead of at start. Default: false. */
  lazy?: boolean | undefined;
  /**
   * Defaults for every `sign`. A claim in the payload, such as `exp` or `aud`, overrides the default; `sign` rejects if the
   * payload and the options of the call set the same claim. `verify` expects the issuer and audience set here, unless
   * `verifyOptions` override them.
   */
  signOptions?: Omit<SignOptions, 'signal'>;
  /** Defaults for every `verify`, including those of the guard. */
  verifyOptions?: Omit<RouteVerifyOptions, 'verification'>;
  /**
   * `'kms'`: after every other check, `isRevoked` included, AWS KMS also verifies the signature of each token, without a cache.
   * So a token is refused as soon as its key is disabled (`TokenKeyDisabledError`), and CloudTrail records each check. It costs
   * one `Verify` call per token, 5 to 20 ms and a share of the quota that `sign` needs. While KMS is unavailable, tokens get 503.
   * The role needs `kms:Verify`; the call names the ARN of the key, even with `requestAlias`. Every key must be in KMS: `'kms'`
   * cannot be combined with `jwksUri`, `jwks`, `issuers` or a JWK in `rotation.verificationKeys`.
   *
   * `@VerifyWith()` and the options of `verify` override it. Default: `'local'`.
   */
  verification?: VerificationMode;
  /**
   * Called for every token that has passed all other local checks. If it throws, or does not return `true` or `false` within
   * `limits.timeout`, the token is refused with a `RevocationUnavailableError`: a 503. Default: no token is revoked.
   */
  isRevoked?: RevocationCheck;
  /** How keys are rotated: refreshes, delays, further keys and a store. */
  rotation?: RotationOptions | undefined;
  /**
   * The cache of verified tokens, in the memory of this process: for a token of up to 4,096 characters whose signature was verified
   * twice, the signature is not verified again. Everything else is checked each time: the key, the times, the claims, the schema and
   * `isRevoked`. The tokens of a key that is no longer trusted are dropped. `false`: no cache. Default: `{ max: 1000 }`.
   */
  cache?: CacheOptions | false | undefined;
  /** Timeouts, concurrency and lengths. */
  limits?: LimitOptions | undefined;
  /** Where the guard finds the token and puts the claims. */
  guard?: GuardOptions | undefined;
}

/** What `useClass` and `useExisting` of `forRootAsync` must implement. */
export interface KmsJwtOptionsFactory {
  /** Returns the options of the module, at start. */
  createKmsJwtOptions(): KmsJwtModuleOptions | Promise<KmsJwtModuleOptions>;
}
