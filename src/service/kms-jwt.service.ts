import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type KmsJwtError, KmsJwtOptionsError } from '../errors/errors.js';
import { encodeBase64url } from '../jwt/base64url.js';
import { expiryOf, type JwtClaims } from '../jwt/claims.js';
import { type CompactJws, type JwtHeader, parseCompact } from '../jwt/compact.js';
import type { JsonWebKeySet } from '../jwt/jwk.js';
import type { Observable, Subject } from 'rxjs';
import type { KeyRing, RingHealth } from '../keys/key-ring.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { Log } from '../events/log.js';
import type { DecodeOptions, SignOptions, VerifyOptions } from '../options/kms-jwt.options.js';
import { readDecodeOptions, readSignOptions, readVerifyOptions } from '../options/read-options.js';
import type { GuardSettings, KmsJwtSettings } from '../options/settings.js';
import type { TokenSigner } from './token-signer.js';
import type { TokenVerifier } from './token-verifier.js';
import { TokenWatcher } from './token-watcher.js';

/** A look-up of the key, the schema and `isRevoked` may each take `limits.timeout`; the rest is for the app's own checks. */
const VERDICT_TIMEOUT_FACTOR = 5;

/** What `verify` and `decode` return for `{ complete: true }`. */
export interface CompleteJwt<Claims = JwtClaims> {
  header: JwtHeader;
  payload: Claims;
  /** In base64url, as in the token. */
  signature: string;
}

/** The state of a service. */
export interface KmsJwtHealth extends RingHealth {
  /**
   * `open` while KMS is unavailable: calls fail fast, except for one probe at a time. Only a call can close it, so a
   * readiness check should not depend on it. Absent in a service that only verifies.
   */
  circuit?: 'closed' | 'open';
  /** How many tokens were withheld since the start because the reply of KMS contained no valid signature. */
  refusedSignatures: number;
}

/**
 * Signs tokens with a key in KMS, and verifies them locally.
 *
 * @example
 * const token = await jwt.sign({ sub: 'user-42' }, { expiresIn: '15m' });
 * const claims = await jwt.verify(token, { audience: 'orders' });
 */
@Injectable()
export class KmsJwtService implements OnModuleInit, OnApplicationShutdown {
  /**
   * What happens to the keys and to KMS calls: a key published, activated, removed or distrusted, a refresh that failed or
   * recovered, a key set that becomes too old, a store that failed or is not safe, a refused signature, the circuit opened
   * or closed. Each is also a line of the log; a repeated line is written once in ten seconds. Completes at shutdown.
   *
   * @example
   * this.jwt.events.subscribe((event) => this.metrics.count(event.type));
   */
  readonly events: Observable<KmsJwtEvent>;

  private readonly watcher: TokenWatcher;

  constructor(
    private readonly settings: KmsJwtSettings,
    private readonly ring: KeyRing,
    /** Absent in an instance that only verifies. */
    private readonly signer: TokenSigner | undefined,
    private readonly verifier: TokenVerifier,
    private readonly gateway: Pick<KmsGateway, 'circuit' | 'close'> | undefined,
    private readonly subject: Subject<KmsJwtEvent>,
    /** @internal The log of this instance, for the guard and the routes. */
    readonly log: Log,
  ) {
    this.events = subject.asObservable();
    this.watcher = new TokenWatcher(settings.guard, this.events);
  }

  /**
   * The state of the keys and of the circuit. Makes no call. See `KmsJwtHealthIndicator` in `nestjs-kms-jwt/terminus`.
   *
   * @example
   * const { keys, signing, refresh, circuit, refusedSignatures } = jwt.health();
   */
  health(): KmsJwtHealth {
    return {
      ...this.ring.health,
      ...(this.gateway && { circuit: this.gateway.circuit }),
      refusedSignatures: this.signer?.refusedSignatures ?? 0,
    };
  }

  /** @internal For the discovery documents. */
  get issuer(): string | undefined {
    return this.settings.sign.issuer;
  }

  /** @internal How long a connection may wait for the verdict of KmsJwtGuard, in milliseconds. */
  get verdictTimeout(): number {
    return VERDICT_TIMEOUT_FACTOR * this.settings.limits.timeout;
  }

  /** @internal For KmsJwtGuard. */
  get guardSettings(): GuardSettings {
    return this.settings.guard;
  }

  /** Fetches the public key, so that a wrong key stops the app at start; with `lazy`, the first use does. */
  async onModuleInit(): Promise<void> {
    if (this.settings.lazy) return;
    try {
      await this.ring.all();
    } catch (error) {
      await this.gateway?.close();
      throw error;
    }
  }

  /**
   * Runs after the servers have closed. Signatures in progress end within their deadline; new calls of `sign` reject with a
   * `KmsUnavailableError`; tokens can still be verified.
   */
  async onApplicationShutdown(): Promise<void> {
    this.watcher.stop();
    await Promise.all([this.signer?.close(), this.ring.stop()]);
    await this.gateway?.close();
    this.subject.complete();
  }

  /**
   * Signs a token, with one AWS `Sign` call. The signature is verified before the token is returned.
   *
   * A token longer than `limits.maxTokenLength` is signed, but `verify` refuses it.
   *
   * @param payload the claims, a plain object; `iat` and the claims of the options are added
   * @param options override the module's `signOptions`
   * @returns a JWS in compact serialization (RFC 7515, section 7.1), with the header `{ alg, typ, kid }`
   * @throws KmsJwtOptionsError for wrong options or claims, before KMS is called; for a token over 4,096 bytes with
   * `messageType: 'RAW'`; in a service that only verifies
   * @throws KmsUnavailableError if KMS throttles, fails, cannot be reached or exceeds `limits.timeout`; at once if the queue is
   * full, while the circuit is open, and after shutdown
   * @throws KmsAccessDeniedError, KmsKeyError if AWS refuses the call or the key
   * @throws KmsSignatureError if the reply of KMS contains no valid signature of this token
   * @throws the reason of `options.signal` as soon as it aborts
   *
   * @example
   * const token = await jwt.sign({ sub: 'user-42', scope: 'orders:read' }, { expiresIn: '15m' });
   */
  async sign(payload: object, options?: SignOptions): Promise<string> {
    const settings =
      options !== undefined ? readSignOptions(options, this.settings.sign) : this.settings.sign;
    if (!this.signer) throw new KmsJwtOptionsError('keyId', 'is missing: this instance can only verify');
    return this.signer.sign(payload, settings, secondsNow());
  }

  /**
   * Verifies a token with public keys that were fetched before. Only a token with an unknown `kid` can trigger a lookup, at
   * most once every 30 seconds per process.
   *
   * @param options override the module's `verifyOptions`
   * @returns the claims; with `schema` its output; with `complete` header, payload and signature
   * @throws TokenMalformedError, TokenKeyUnknownError, TokenSignatureError, TokenExpiredError, TokenNotActiveError,
   * TokenClaimError, TokenRevokedError: all of them are TokenErrors
   * @throws KmsUnavailableError, KmsAccessDeniedError, KmsKeyError, JwksUnavailableError for a token with an unknown `kid`
   * while the keys cannot be refreshed; with `lazy`, for any token if the first fetch of the keys fails
   * @throws JwksUnavailableError for any token while the key set of `jwksUri` is older than `rotation.maxStale`
   * @throws RevocationUnavailableError if the module's `isRevoked` fails
   * @throws SchemaUnavailableError if an asynchronous `schema` rejects or exceeds `limits.timeout`
   * @throws KmsJwtOptionsError for wrong options
   *
   * @example
   * const claims = await jwt.verify<{ scope: string }>(token, { audience: 'orders', maxAge: '1h' });
   */
  verify<Schema extends StandardSchemaV1>(
    token: string,
    options: VerifyOptions & { schema: Schema; complete: true },
  ): Promise<CompleteJwt<StandardSchemaV1.InferOutput<Schema>>>;
  verify<Schema extends StandardSchemaV1>(
    token: string,
    options: VerifyOptions & { schema: Schema; complete?: false },
  ): Promise<StandardSchemaV1.InferOutput<Schema>>;
  verify<Claims extends object = JwtClaims>(
    token: string,
    options: VerifyOptions & { complete: true },
  ): Promise<CompleteJwt<Claims & JwtClaims>>;
  verify<Claims extends object = JwtClaims>(
    token: string,
    options?: VerifyOptions & { complete?: false },
  ): Promise<Claims & JwtClaims>;
  verify(token: string, options?: VerifyOptions): Promise<JwtClaims | CompleteJwt>;
  async verify(token: string, options?: VerifyOptions): Promise<unknown> {
    const settings =
      options !== undefined ? readVerifyOptions(options, this.settings.verify) : this.settings.verify;
    const { jws, claims } = await this.verifier.verify(token, settings, secondsNow);
    return settings.complete ? complete(jws, claims) : claims;
  }

  /**
   * @internal Reports once when a token that was verified ceases to be valid, as `guard.endAtExpiry` and
   * `guard.recheckInterval` ask.
   *
   * @param claims as they were returned: those of a token that is no JWT, such as an API key
   * @returns a function that ends the watch
   * @throws TokenExpiredError, TokenKeyUnknownError if the token has ceased to be valid since it was verified
   */
  watch(
    token: string,
    claims: JwtClaims,
    options: VerifyOptions | undefined,
    onInvalid: (error: KmsJwtError) => void,
  ): () => void {
    const jws = this.tryParse(token);
    return this.watcher.watch(
      {
        kid: typeof jws?.header.kid === 'string' ? jws.header.kid : undefined,
        expiresAt: this.expiryOf(token, claims, options),
        recheck: async () => jws && this.verifier.checkRevocation(jws),
      },
      onInvalid,
    );
  }

  /** @internal When a watch of that token reports that it has expired, in seconds since 1970. */
  expiryOf(token: string, claims: JwtClaims, options: VerifyOptions | undefined): number {
    const settings = options ? readVerifyOptions(options, this.settings.verify) : this.settings.verify;
    // Claims that the app made of a token that is no JWT may have an `exp` of any type: it then never expires here.
    return expiryOf(this.tryParse(token)?.payload ?? claims, settings);
  }

  private tryParse(token: string): CompactJws | undefined {
    try {
      return parseCompact(token, this.settings.limits.maxTokenLength);
    } catch {
      return undefined;
    }
  }

  /**
   * Parses a token **without verifying it**: neither the signature nor the claims are checked, and the sender may have
   * written anything. Use `verify` to base decisions on a token.
   *
   * @throws TokenMalformedError unless the token is a JWS in compact serialization
   * @throws KmsJwtOptionsError for wrong options
   *
   * @example
   * const { header } = jwt.decode(token, { complete: true });
   */
  decode<Claims extends object = JwtClaims>(
    token: string,
    options: DecodeOptions & { complete: true },
  ): CompleteJwt<Claims & JwtClaims>;
  decode<Claims extends object = JwtClaims>(token: string, options?: DecodeOptions): Claims & JwtClaims;
  decode(token: string, options: DecodeOptions = {}): unknown {
    const { complete: isComplete } = readDecodeOptions(options);
    const jws = parseCompact(token, this.settings.limits.maxTokenLength);
    return isComplete ? complete(jws, jws.payload) : jws.payload;
  }

  /**
   * The public keys as a JWK Set (RFC 7517, section 5), each with `kid`, `alg` and `use`, for services that verify these
   * tokens. Each call returns a new object.
   *
   * @throws KmsUnavailableError, KmsAccessDeniedError, KmsKeyError, JwksUnavailableError with `lazy`, if the first fetch of
   * the keys fails
   *
   * @example
   * \@Public() \@Get('.well-known/jwks.json') jwks() { return this.jwt.jwks(); }
   */
  async jwks(): Promise<JsonWebKeySet> {
    const keys = await this.ring.all();
    return { keys: keys.map(({ jwk }) => ({ ...jwk })) };
  }
}

function complete(jws: CompactJws, payload: unknown): CompleteJwt<unknown> {
  return { header: jws.header, payload, signature: encodeBase64url(jws.signature) };
}

function secondsNow(): number {
  return Date.now() / 1000;
}
