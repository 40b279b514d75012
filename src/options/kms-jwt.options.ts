import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Expected, JwtClaims } from '../jwt/claims.js';
import type { JwtHeader } from '../jwt/compact.js';
import type { JsonWebKey } from '../jwt/jwk.js';
import type { Duration } from './duration.js';
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
   * refused with a `SchemaUnavailableError`: a 503. zod also rejects if your own code inside the schema throws: report an
   * issue there instead. Default: none.
   */
  schema?: StandardSchemaV1;
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean;
}

/** Options of `decode`. */
export interface DecodeOptions {
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean | undefined;
}

/** The options of `verify` that can also be set for the whole module or for a route. */
export type RouteVerifyOptions = Omit<VerifyOptions, 'complete' | 'clockTimestamp'>;

/**
 * What a token can be read from. On HTTP it is the request object of Express, Fastify or Node; on other transports the
 * handshake of a WebSocket, the metadata of a gRPC call or the headers of a message.
 */
export interface TokenCarrier {
  /** Names are in lower case. */
  headers: Record<string, string | string[] | undefined>;
  /** Set by a cookie parser, if the app has one. */
  cookies?: unknown;
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
 * @param claims of a token that is valid in every other respect
 * @param header of the same token
 */
export type RevocationCheck = (claims: JwtClaims, header: JwtHeader) => boolean | Promise<boolean>;

/**
 * The `kid` of a key in tokens and key sets: `'key-id'`, the last part of its ARN; `'thumbprint'`, its SHA-256 thumbprint
 * (RFC 7638); or the result of a function of its ARN and its public JWK, a string of 1 to 256 characters.
 */
export type KidOption =
  'key-id' | 'thumbprint' | ((key: { keyArn: string; jwk: Omit<JsonWebKey, 'kid'> }) => string);

/** What one process may use. */
export interface LimitOptions {
  /**
   * The longest time, in milliseconds, for each of these:
   * - `sign` as a whole: the key, the queue, KMS and the SDK's retries;
   * - each KMS call, its wait in the queue (at most half of this time) and the SDK's retries included;
   * - each fetch of `jwksUri`;
   * - each call of `rotation.store`;
   * - each call of `isRevoked`;
   * - each call of an asynchronous `schema`.
   *
   * Default: 3000. Maximum: 2,147,483,647.
   */
  timeout?: number | undefined;
  /**
   * How many KMS calls may run at the same time. A client that the module makes has as many sockets; raise `maxSockets`
   * of your own client together with it. With `regions`, it applies to each Region. Needs a `keyId`. Default: 50, the SDK's
   * own number of sockets.
   */
  maxConcurrency?: number | undefined;
  /**
   * How many more KMS calls may wait in the queue, each for at most half of `timeout`. Any further call fails at once with
   * a `KmsUnavailableError`. With `regions`, it applies to each Region. Needs a `keyId`. Default: 1000.
   */
  maxQueue?: number | undefined;
  /** The maximum length of a token that is verified or decoded, in characters. Default: 16384. */
  maxTokenLength?: number | undefined;
}

/** What `KmsJwtGuard` reads and writes. */
export interface GuardOptions {
  /**
   * Where the guard looks for the token. A request with tokens in more than one of these places is refused with a
   * `TokenAmbiguousError` (RFC 6750, section 2). Default: `fromAuthHeader()`.
   */
  tokenFrom?: TokenExtractor | TokenExtractor[] | undefined;
  /**
   * The property of the request in which the guard puts the claims. In GraphQL and on sockets, where several calls share
   * the request, it has the claims of the last admitted call. Once calls of different users shared it, reading it throws,
   * in `handleDisconnect` and in an access log too: `@Claims()` and `claimsOf(context)` belong to the call. Default: `'user'`, as in passport.
   */
  property?: string | undefined;
  /**
   * Ends WebSocket connections, GraphQL subscriptions, `@Sse()` events and gRPC streams within a second once their token
   * has expired (`exp` plus `clockTolerance`, or `iat` plus `maxAge`) or its key is no longer trusted. Observables over
   * TCP, Redis or NATS need the `KmsJwtExpiryInterceptor`. Default: true.
   */
  endAtExpiry?: boolean | undefined;
  /**
   * How often `isRevoked` is asked again about the token of an open connection or stream, 10 % more or less. The third
   * failure in a row ends it. Default: never.
   */
  recheckInterval?: Duration | undefined;
  /**
   * The origins whose pages may open a WebSocket (of a gateway, or of graphql-ws) with a token in a cookie, such as
   * `'https://app.example.com'`: browsers send cookies with connections that other sites open, and let those sites read.
   * A handshake with another `Origin` is refused with an `OriginNotAllowedError`; one without `Origin` does not come from a
   * browser. `'null'` allows sandboxed pages and files. Default: none, so that a handshake with an `Origin` and a token that
   * `fromCookie` found is refused with a `KmsJwtOptionsError`.
   */
  allowedOrigins?: string[];
}

/**
 * The options of `KmsJwtModule.forRoot`, also returned from the factory of `forRootAsync`. Exactly one of `keyId`,
 * `jwksUri` and `jwks` says which keys are trusted; the latter two are for services that only verify. `undefined` counts as
 * left out, except for `signOptions`, `verifyOptions`, `isRevoked`, `rotation.distrustedKeys` and `guard.allowedOrigins`, and
 * within the first two, where it is refused.
 */
export interface KmsJwtModuleOptions {
  /**
   * The key that signs: key id, key ARN, alias name (`alias/…`) or alias ARN. Its key spec must be ECC_NIST_P256, its key
   * usage SIGN_VERIFY.
   */
  keyId?: string | undefined;
  /**
   * The URL of the issuer's key set, for a service that only verifies: it needs neither AWS nor its SDK. https, or http on
   * loopback. It is fetched again as its `Cache-Control` says; if that fails, the last keys remain in use for
   * `rotation.maxStale`. A key that it no longer contains is dropped once a second answer, 30 seconds later, lacks it too.
   */
  jwksUri?: string | undefined;
  /** The key set itself, for a service that only verifies. */
  jwks?: { keys: readonly object[] } | undefined;
  /** The `kid` of the key in tokens and key sets. Default: `'key-id'`. */
  kid?: KidOption | undefined;
  /**
   * The KMS client, or its configuration. Default: `new KMSClient({})`, with AWS's own chains for region and credentials;
   * if `keyId` is an ARN and no region is configured here, the Region of the ARN. With `regions`: a configuration, or a
   * function that returns the client of a Region. The module destroys only clients that it made, at shutdown.
   */
  client?: KMSClient | KMSClientConfig | ((region: string) => KMSClient) | undefined;
  /**
   * The Regions of a Multi-Region key, in order of preference. The first signs; if it is unavailable, the next does, within
   * the same `limits.timeout`. Default: the Region of the client.
   */
  regions?: string[] | undefined;
  /**
   * What is sent to KMS (AWS `Sign`, `MessageType`): `'DIGEST'`, the SHA-256 of the token, or `'RAW'`, the token itself,
   * up to 4,096 bytes. Default: `'DIGEST'`.
   */
  messageType?: 'DIGEST' | 'RAW' | undefined;
  /**
   * Sends `keyId`, an alias, in Sign calls instead of the key's ARN, for key policies with the condition key
   * `kms:RequestAlias`. Default: false, so that a moved alias cannot sign under the `kid` of another key.
   */
  requestAlias?: boolean | undefined;
  /** Fetches the public key at the first use instead of at start. Default: false. */
  lazy?: boolean | undefined;
  /** Defaults for every `sign`. `verify` expects the same issuer and audience, unless `verifyOptions` override them. */
  signOptions?: Omit<SignOptions, 'signal'>;
  /** Defaults for every `verify`, including those of the guard. */
  verifyOptions?: RouteVerifyOptions;
  /**
   * Called for every token that is valid in all other respects. If it throws, or does not return `true` or `false` within
   * `limits.timeout`, the token is refused with a `RevocationUnavailableError`: a 503. Default: no token is revoked.
   */
  isRevoked?: RevocationCheck;
  /** How keys follow each other: refreshes, delays, further keys and a store. */
  rotation?: RotationOptions | undefined;
  /** Timeouts, concurrency and lengths. */
  limits?: LimitOptions | undefined;
  /** Where the guard finds the token and puts the claims. */
  guard?: GuardOptions | undefined;
}

/** What `useClass` and `useExisting` of `forRootAsync` must implement. */
export interface KmsJwtOptionsFactory {
  createKmsJwtOptions(): KmsJwtModuleOptions | Promise<KmsJwtModuleOptions>;
}
