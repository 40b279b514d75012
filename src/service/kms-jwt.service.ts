import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { isPromise } from '../async/is-promise.js';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { encodeBase64url } from '../jwt/base64url.js';
import type { JwtClaims } from '../jwt/claims.js';
import { type JwtHeader, parseCompact } from '../jwt/compact.js';
import type { JsonWebKeySet } from '../jwt/jwk.js';
import type { Observable } from 'rxjs';
import type { Clock } from '../keys/clock.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import type { EventStream } from '../events/event-stream.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { Log } from '../events/log.js';
import type { DecodeOptions, SignOptions, VerifyOptions } from '../options/kms-jwt.options.js';
import { readDecodeOptions, readSignOptions } from '../options/read-options.js';
import type { GuardSettings, KmsJwtSettings } from '../options/settings.js';
import { AcceptedTokens } from './accepted-tokens.js';
import type { KmsJwtHealth } from './kms-jwt-health.js';
import type { CompleteJwt } from './complete-jwt.js';
import type { TokenSigner } from './token-signer.js';
import type { VerifiedToken, Verifier } from './token-verifier.js';
import { TokenWatcher } from './token-watcher.js';
import type { TrustSources } from './trust-sources.js';
import { VerifyOptionsReader } from './verify-options-reader.js';

/** A lookup of the key, the schema, `isRevoked` and Verify may each take `limits.timeout`; the rest is for the app's own checks. */
const VERDICT_TIMEOUT_FACTOR = 5;

/**
 * Signs tokens with a key in KMS, and verifies them locally; with `verification: 'kms'`, also in KMS.
 *
 * @example
 * ```ts
 * const token = await jwt.sign({ sub: 'user-42' }, { expiresIn: '15m' });
 * const claims = await jwt.verify(token, { audience: 'orders' });
 * ```
 */
@Injectable()
export class KmsJwtService implements OnApplicationShutdown {
  /**
   * What happens to the keys and to KMS calls: a key published, activated, removed or distrusted, a refresh that failed or
   * recovered, a key set that becomes too old, a store that failed or is not safe, a clock that stepped, signing suspended or
   * resumed, a refused signature, the circuit opened or closed. Each is also a line of the log; a repeated line is written once
   * in ten seconds. docs/operations.md says what to do about each. Until the app has started, a subscriber also receives the
   * events before its subscription. Completes at shutdown.
   *
   * @example
   * ```ts
   * jwt.events.subscribe((event) => metrics.count(event.type));
   * ```
   */
  readonly events: Observable<KmsJwtEvent>;

  /** @internal For KmsJwtGuard. */
  readonly guardSettings: GuardSettings;
  /** @internal For KmsJwtGuard. */
  readonly accepted: AcceptedTokens;
  /** @internal For the checks of routes at start. */
  readonly verifyOptions: VerifyOptionsReader;
  private readonly secondsNow = () => this.clock.now() / 1000;

  /** @internal Created by Nest. */
  constructor(
    /** @internal */ readonly settings: KmsJwtSettings,
    private readonly ring: KeyRing,
    /** Absent in a registration that only verifies. */
    private readonly signer: TokenSigner | undefined,
    private readonly verifier: Verifier,
    /** Undefined without the option `issuers`. */
    private readonly sources: TrustSources | undefined,
    private readonly gateway: Pick<KmsGateway, 'circuit' | 'verifyCircuit' | 'close'> | undefined,
    /** @internal */ readonly stream: EventStream,
    /** @internal The log of this registration, for the guard and the routes. */
    readonly log: Log,
    private readonly clock: Clock,
  ) {
    this.events = stream.observable;
    this.guardSettings = settings.guard;
    this.verifyOptions = new VerifyOptionsReader(settings.verify, sources);
    this.accepted = new AcceptedTokens(
      new TokenWatcher(settings.guard, this.events, clock),
      verifier,
      sources,
      this.verifyOptions,
      this.secondsNow,
      settings.limits.maxTokenLength,
    );
  }

  /**
   * The state of the keys and of the circuits. Makes no call. See `KmsJwtHealthIndicator` in `nestjs-kms-jwt/terminus`.
   *
   * @example
   * ```ts
   * const { keys, signing, refresh, stale, circuit, refusedSignatures } = jwt.health();
   * ```
   */
  health(): KmsJwtHealth {
    return {
      ...this.ring.health,
      ...this.sources?.health,
      ...(this.gateway && { circuit: this.gateway.circuit, verifyCircuit: this.gateway.verifyCircuit }),
      refusedSignatures: this.signer?.refusedSignatures ?? 0,
    };
  }

  /** @internal The ARN of the key that signs, if that is known. */
  get signingKeyArn(): string | undefined {
    return this.ring.activeNow?.keyArn;
  }

  /** @internal How long a connection may wait for the verdict of KmsJwtGuard, in milliseconds. */
  get verdictTimeout(): number {
    return VERDICT_TIMEOUT_FACTOR * this.settings.limits.timeout;
  }

  /** @internal Fetches the public key at start, so that a wrong key stops the app; with `lazy`, the first use does. */
  async loadKeys(): Promise<void> {
    if (this.settings.lazy) return;
    // An issuer that is unavailable must not keep the app from starting.
    this.sources?.load();
    try {
      await this.ring.all();
    } catch (error) {
      // No app exists yet whose close() would do this.
      await this.onApplicationShutdown();
      throw error;
    }
  }

  /**
   * Runs after the servers have closed. Signatures in progress end within their deadline; new calls of `sign` reject with a
   * `KmsUnavailableError`; tokens can still be verified, except by KMS.
   */
  async onApplicationShutdown(): Promise<void> {
    this.accepted.stop();
    await Promise.all([this.signer?.close(), this.ring.stop(), this.sources?.stop()]);
    await this.gateway?.close();
    this.stream.complete();
  }

  /**
   * Signs a token, with one AWS `Sign` call, or up to three if KMS refuses the alias or if another key is to sign. The signature
   * is verified before the token is returned.
   *
   * A token longer than `limits.maxTokenLength` is signed, but `verify` refuses it.
   *
   * @param payload the claims, a plain object; `iat` and the claims of the options are added
   * @param options override the module's `signOptions`
   * @returns a JWS in compact serialization (RFC 7515, section 7.1), with the header `{ alg, typ, kid }`
   * @throws KmsJwtOptionsError for wrong options or claims, before KMS is called; for a token over 4,096 bytes with Ed25519 or
   * `messageType: 'RAW'`; in a service that only verifies
   * @throws KmsUnavailableError if KMS throttles, fails, cannot be reached or exceeds `limits.timeout`; at once if the queue is
   * full, while the circuit is open, and after shutdown. With the reason `alias_moved` if the alias has moved, other instances
   * may refuse tokens of the old key, and the new one cannot sign yet; with `blocked` if the event loop was blocked for too long
   * @throws KmsAccessDeniedError, KmsKeyError if AWS refuses the call or the key
   * @throws KmsSignatureError if the reply of KMS contains no valid signature of this token
   * @throws the reason of `options.signal` as soon as it aborts
   *
   * @example
   * ```ts
   * const token = await jwt.sign({ sub: 'user-42', scope: 'orders:read' }, { expiresIn: '15m' });
   * ```
   */
  async sign(payload: object, options?: SignOptions): Promise<string> {
    const settings =
      options !== undefined ? readSignOptions(options, this.settings.sign) : this.settings.sign;
    if (!this.signer) throw new KmsJwtOptionsError('keyId', 'is missing: this service can only verify');
    return this.signer.sign(payload, settings, this.secondsNow());
  }

  /**
   * Verifies a token with public keys that were fetched before. Only a token with an unknown `kid` can trigger a lookup, at most
   * once every 30 seconds per issuer and process. With `verification: 'kms'`, KMS then verifies it too, with one AWS `Verify`
   * call.
   *
   * @param token a JWS in compact serialization, without the scheme `Bearer`
   * @param options override the module's `verifyOptions`
   * @returns the claims; with `schema` its output; with `complete` header, payload and signature
   * @throws TokenMalformedError, TokenKeyUnknownError, TokenSignatureError, TokenExpiredError, TokenNotActiveError,
   * TokenClaimError, TokenRevokedError; with `verification: 'kms'` also TokenKeyDisabledError, TokenKeyNotInKmsError: all of
   * them are TokenErrors
   * @throws KmsUnavailableError, KmsAccessDeniedError, KmsKeyError, JwksUnavailableError for a token with an unknown `kid`
   * while the keys cannot be refreshed; with `lazy`, for any token if the first fetch of the keys fails
   * @throws KmsUnavailableError, KmsAccessDeniedError, KmsKeyError with `verification: 'kms'`, if the `Verify` call fails
   * @throws JwksUnavailableError for any token while the key set of its issuer is older than `rotation.maxStale`
   * @throws IssuerUnavailableError if the function `issuers` fails
   * @throws RevocationUnavailableError if the module's `isRevoked` fails
   * @throws SchemaUnavailableError if an asynchronous `schema` rejects or exceeds `limits.timeout`
   * @throws KmsJwtOptionsError for wrong options
   *
   * @example
   * ```ts
   * const claims = await jwt.verify<{ scope: string }>(token, { audience: 'orders', maxAge: '1h' });
   * ```
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
    const settings = this.verifyOptions.read(options);
    const answer = this.verifier.verify(token, settings, this.secondsNow);
    const { header, claims } = isPromise(answer) ? await answer : answer;
    if (!settings.complete) return claims;
    const signature = token.slice(token.lastIndexOf('.') + 1);
    return { header: JSON.parse(header.text) as JwtHeader, payload: claims, signature };
  }

  /** @internal For KmsJwtGuard, which reads scopes in the payload. @throws what `verify` throws */
  async verifyToken(token: string, options: VerifyOptions | undefined): Promise<VerifiedToken> {
    return this.verifier.verify(token, this.verifyOptions.read(options), this.secondsNow);
  }

  /**
   * Parses a token **without verifying it**: neither the signature nor the claims are checked, and the sender may have
   * written anything. Use `verify` to base decisions on a token.
   *
   * @throws TokenMalformedError unless the token is a JWS in compact serialization
   * @throws KmsJwtOptionsError for wrong options
   *
   * @example
   * ```ts
   * const { header } = jwt.decode(token, { complete: true });
   * ```
   */
  decode<Claims extends object = JwtClaims>(
    token: string,
    options: DecodeOptions & { complete: true },
  ): CompleteJwt<Claims & JwtClaims>;
  decode<Claims extends object = JwtClaims>(token: string, options?: DecodeOptions): Claims & JwtClaims;
  decode(token: string, options: DecodeOptions = {}): unknown {
    const { complete: isComplete } = readDecodeOptions(options);
    const { header, payload, signature } = parseCompact(token, this.settings.limits.maxTokenLength);
    return isComplete ? { header, payload, signature: encodeBase64url(signature) } : payload;
  }

  /**
   * The public keys as a JWK Set (RFC 7517, section 5), each with `kid`, `alg` and `use`, for services that verify these
   * tokens. Each call returns a new object.
   *
   * @throws KmsUnavailableError, KmsAccessDeniedError, KmsKeyError, JwksUnavailableError with `lazy`, if the first fetch of
   * the keys fails; JwksUnavailableError while the keys are older than `rotation.maxStale`
   *
   * @example
   * ```ts
   * @Controller('.well-known')
   * export class KeysController {
   *   constructor(private readonly jwt: KmsJwtService) {}
   *
   *   @Public()
   *   @Get('jwks.json')
   *   keys() {
   *     return this.jwt.jwks();
   *   }
   * }
   * ```
   */
  async jwks(): Promise<JsonWebKeySet> {
    const keys = await this.ring.all();
    return { keys: keys.map(({ jwk }) => ({ ...jwk })) };
  }
}
