import type { KmsJwtError } from '../errors/errors.js';
import { expiryOf } from '../jwt/claims.js';
import { type CompactJws, tryParseCompact } from '../jwt/compact.js';
import type { VerifyOptions } from '../options/kms-jwt.options.js';
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
    const { token, source, issuerName } = verified;
    const jws = this.parse(token);
    const settings = this.verifyOptions.read(options);
    return this.watcher.watch(
      {
        kid: typeof jws?.header.kid === 'string' ? jws.header.kid : undefined,
        issuer: source?.issuer?.name,
        expiresAt: this.expiryOf(verified, options),
        recheck: async () =>
          jws && issuerName !== undefined
            ? this.verifier.recheck(token, jws, settings, this.secondsNow)
            : undefined,
      },
      onInvalid,
    );
  }

  /** When a watch of that token reports that it has expired, in seconds since 1970. */
  expiryOf({ token, claims, source }: WatchedClaims, options: VerifyOptions | undefined): number {
    const settings = this.verifyOptions.read(options);
    // If the token is not a JWT, the `exp` in the app's claims may be of any type: then the token never expires here.
    const payload = this.parse(token)?.payload ?? claims;
    return expiryOf(payload, source ? expectedOf(source, settings) : settings);
  }

  stop(): void {
    this.watcher.stop();
  }
}
