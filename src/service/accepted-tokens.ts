import type { KmsJwtError } from '../errors/errors.js';
import { expiryOf } from '../jwt/claims.js';
import { type CompactJws, tryParseCompact } from '../jwt/compact.js';
import type { VerifyOptions } from '../options/kms-jwt.options.js';
import type { VerifySettings } from '../options/settings.js';
import { expectedOf } from './expected-of-issuer.js';
import type { Verifier } from './token-verifier.js';
import type { TokenWatcher, WatchedClaims } from './token-watcher.js';
import type { TrustSource, TrustSources } from './trust-sources.js';
import type { VerifyOptionsReader } from './verify-options-reader.js';

/** The tokens that the guard has accepted: whose they are, when they expire, and when they cease to be valid. */
export class AcceptedTokens {
  constructor(
    private readonly watcher: TokenWatcher,
    private readonly verifier: Verifier,
    /** Undefined without the option `issuers`. */
    private readonly sources: TrustSources | undefined,
    private readonly verifyOptions: VerifyOptionsReader,
    private readonly secondsNow: () => number,
    private readonly maxTokenLength: number,
  ) {}

  /** Undefined if the token is not a JWT. */
  private parse(token: string): CompactJws | undefined {
    return tryParseCompact(token, this.maxTokenLength);
  }

  /** Returns the source. @throws TokenClaimError if its issuer is no longer accepted */
  unlessEnded(source: TrustSource): TrustSource {
    return this.sources?.unlessEnded(source) ?? source;
  }

  /**
   * Reports once when a verified token ceases to be valid, according to `guard.endAtExpiry` and `guard.recheckInterval`.
   *
   * @returns a function that ends the watch
   * @throws TokenExpiredError, TokenKeyUnknownError if the token has ceased to be valid since it was verified
   */
  watch(
    verified: WatchedClaims,
    options: VerifyOptions | undefined,
    onInvalid: (error: KmsJwtError) => void,
  ): () => void {
    const { token } = verified;
    const jws = this.parse(token);
    const source = verified.source ?? this.claimedSource(jws);
    const settings = this.verifyOptions.read(options);
    const isRechecked = this.sources ? source !== undefined : !isSymmetric(jws);
    return this.watcher.watch(
      {
        kid: typeof jws?.header.kid === 'string' ? jws.header.kid : undefined,
        issuer: source?.issuer?.name,
        expiresAt: this.expiry(verified, jws, settings),
        recheck: async () =>
          jws && isRechecked ? this.verifier.recheck(token, jws, settings, this.secondsNow) : undefined,
      },
      onInvalid,
    );
  }

  /** When a watch of that token reports that it has expired, in seconds since 1970. */
  expiryOf(verified: WatchedClaims, options: VerifyOptions | undefined): number {
    return this.expiry(verified, this.parse(verified.token), this.verifyOptions.read(options));
  }

  private expiry(
    { claims, source }: WatchedClaims,
    jws: CompactJws | undefined,
    settings: VerifySettings,
  ): number {
    // If the token is not a JWT, the `exp` in the app's claims may be of any type: then the token never expires here.
    const payload = jws?.payload ?? claims;
    if (source) return expiryOf(payload, expectedOf(source, settings));
    const claimed = this.claimedSource(jws);
    const expiry = expiryOf(payload, settings);
    return claimed ? Math.min(expiry, expiryOf(payload, expectedOf(claimed, settings))) : expiry;
  }

  /**
   * The source that the `iss` of a token names, which only an overridden `authenticate` has verified: perhaps by
   * `KmsJwtService.verify`, of which the guard knows nothing. It may end a connection earlier, and never grants anything.
   */
  private claimedSource(jws: CompactJws | undefined): TrustSource | undefined {
    return jws && !isSymmetric(jws) ? this.sources?.known(jws.payload.iss) : undefined;
  }

  stop(): void {
    this.watcher.stop();
  }
}

/** Whether only the app can have verified the token. */
function isSymmetric(jws: CompactJws | undefined): boolean {
  return jws !== undefined && String(jws.header.alg).startsWith('HS');
}
