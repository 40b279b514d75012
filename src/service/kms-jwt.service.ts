import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { encodeBase64url } from '../jwt/base64url.js';
import type { JwtClaims } from '../jwt/claims.js';
import { type CompactJws, type JwtHeader, parseCompact } from '../jwt/compact.js';
import type { JsonWebKeySet } from '../jwt/jwk.js';
import type { Observable, Subject } from 'rxjs';
import type { KeyRing, RingHealth } from '../keys/key-ring.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type {
  DecodeOptions,
  GuardSettings,
  KmsJwtSettings,
  SignOptions,
  VerifyOptions,
} from '../options/kms-jwt.options.js';
import { readDecodeOptions, readSignOptions, readVerifyOptions } from '../options/read-options.js';
import type { TokenSigner } from './token-signer.js';
import type { TokenVerifier } from './token-verifier.js';

/** What `verify` and `decode` return for `{ complete: true }`. */
export interface CompleteJwt<Claims = JwtClaims> {
  header: JwtHeader;
  payload: Claims;
  /** In base64url, as it stands in the token. */
  signature: string;
}

/** How a service is. */
export interface KmsJwtHealth extends RingHealth {
  /**
   * `open` while KMS is away: calls are refused at once, but for one at a time that tries. It takes a call to close it, so
   * that no readiness check should hang on it. Absent in a service that only verifies.
   */
  circuit?: 'closed' | 'open';
  /** How many tokens were withheld since the start, as KMS's signature was not the token's by this key. */
  refusedSignatures: number;
}

/**
 * Signs ES256 tokens with a key that lives in KMS, and verifies them here.
 *
 * @example
 * const token = await jwt.sign({ sub: 'user-42' }, { expiresIn: '15m' });
 * const claims = await jwt.verify(token, { audience: 'orders' });
 */
@Injectable()
export class KmsJwtService implements OnModuleInit, OnApplicationShutdown {
  /**
   * What happens to the keys and to the calls of KMS: a key published, activated or removed, a refresh that failed or
   * succeeded again, a signature refused, KMS away and back. Each is a line of the log too; one that repeats itself is
   * written once in ten seconds. It completes at shutdown.
   *
   * @example
   * this.jwt.events.subscribe((event) => this.metrics.count(event.type));
   */
  readonly events: Observable<KmsJwtEvent>;

  constructor(
    private readonly settings: KmsJwtSettings,
    private readonly ring: KeyRing,
    private readonly signer: TokenSigner,
    private readonly verifier: TokenVerifier,
    private readonly gateway: Pick<KmsGateway, 'circuit' | 'close'> | undefined,
    private readonly subject: Subject<KmsJwtEvent>,
  ) {
    this.events = subject.asObservable();
  }

  /**
   * How the keys and the calls of KMS are, without a call to anybody: see `KmsJwtHealthIndicator` in `nestjs-kms-jwt/terminus`.
   *
   * @example
   * const { keys, signing, refresh, circuit, refusedSignatures } = jwt.health();
   */
  health(): KmsJwtHealth {
    return {
      ...this.ring.health,
      ...(this.gateway && { circuit: this.gateway.circuit }),
      refusedSignatures: this.signer.refusedSignatures,
    };
  }

  /** @internal What the documents of discovery say. */
  get issuer(): string | undefined {
    return this.settings.sign.issuer;
  }

  /** @internal What KmsJwtGuard has to know of the module's options. */
  get guardSettings(): GuardSettings {
    return this.settings.guard;
  }

  /** Fetches the public key, so that a wrong key stops the app at start; `lazy` leaves that to the first use. */
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
   * Comes after the servers have closed. What else is being signed ends within its deadline; new calls are refused with a
   * `KmsUnavailableError`, and tokens can still be verified.
   */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.signer.close(), this.ring.stop()]);
    await this.gateway?.close();
    this.subject.complete();
  }

  /**
   * Signs a token: one call of AWS `Sign`. The signature is verified before the token is handed out.
   *
   * A token longer than the module's `maxTokenLength` is signed, but `verify` here refuses it.
   *
   * @param payload the claims, a plain object; `iat` is added, and what the options say
   * @param options stand before the module's `signOptions`
   * @returns a JWS in compact serialization (RFC 7515, section 7.1), with the header `{ alg, typ, kid }`
   * @throws KmsJwtOptionsError for wrong options or claims, before KMS is called, and for a token over 4,096 bytes
   * with `messageType: 'RAW'`
   * @throws KmsUnavailableError when KMS throttles, fails, cannot be reached or is silent beyond `timeout`; at once where
   * `maxQueue` calls wait already, while KMS is away, and after shutdown
   * @throws KmsAccessDeniedError, KmsKeyError when AWS refuses the call or the key
   * @throws KmsSignatureError when what KMS returned is not this token's signature by this key
   * @throws the reason of `options.signal` as soon as that aborts
   *
   * @example
   * const token = await jwt.sign({ sub: 'user-42', scope: 'orders:read' }, { expiresIn: '15m' });
   */
  async sign(payload: object, options?: SignOptions): Promise<string> {
    const settings =
      options !== undefined ? readSignOptions(options, this.settings.sign) : this.settings.sign;
    return this.signer.sign(payload, settings, secondsNow());
  }

  /**
   * Verifies a token with the public keys that were fetched before. One that names another key has them fetched again, once
   * in 30 seconds for all.
   *
   * @param options stand before the module's `verifyOptions`
   * @returns the claims; with `schema` its output; with `complete` header, payload and signature
   * @throws TokenMalformedError, TokenKeyUnknownError, TokenSignatureError, TokenExpiredError, TokenNotActiveError,
   * TokenClaimError, TokenRevokedError: all are TokenErrors, and however hostile a token is, it causes nothing else but by
   * an unknown `kid`
   * @throws KmsUnavailableError, KmsAccessDeniedError, KmsKeyError, JwksUnavailableError for a token with an unknown `kid`
   * while the keys cannot be refreshed; with `lazy` for any, when their first fetch fails
   * @throws RevocationUnavailableError when the module's `isRevoked` cannot tell
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
    const { jws, claims } = await this.verifier.verify(token, settings, secondsNow());
    return settings.complete ? complete(jws, claims) : claims;
  }

  /**
   * Takes a token apart. **Nothing of it is checked**, neither the signature nor the time: what it returns is whatever
   * the sender wrote. Use `verify` before anything is decided by it.
   *
   * @throws TokenMalformedError for what is not a JWS in compact serialization
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
    const jws = parseCompact(token, this.settings.maxTokenLength);
    return isComplete ? complete(jws, jws.payload) : jws.payload;
  }

  /**
   * The public keys as a JWK Set (RFC 7517, section 5), each with `kid`, `alg` and `use`, for services that verify
   * these tokens. It is made anew for each caller.
   *
   * @throws KmsUnavailableError, KmsAccessDeniedError, KmsKeyError, JwksUnavailableError with `lazy`, when the first fetch
   * of the keys fails
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
