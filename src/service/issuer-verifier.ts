import { isPromise } from '../async/is-promise.js';
import type { JwtClaims } from '../jwt/claims.js';
import { type CompactJws, parseObject, readText, splitCompact } from '../jwt/compact.js';
import { checkType, readHeader } from '../jwt/received-header.js';
import type { VerifySettings } from '../options/settings.js';
import { expectedOf } from './expected-of-issuer.js';
import type { TokenVerifier, VerifiedToken } from './token-verifier.js';
import { notAccepted, type TrustSource, type TrustSources } from './trust-sources.js';

/** Verifies tokens of several issuers: each by the keys, and by the options, of its own. */
export class IssuerVerifier implements Pick<TokenVerifier, 'verify' | 'recheck'> {
  constructor(
    private readonly sources: TrustSources,
    private readonly settings: { readonly maxTokenLength: number },
  ) {}

  /** @see TokenVerifier.verify */
  verify(token: unknown, options: VerifySettings, now: () => number): VerifiedToken | Promise<VerifiedToken> {
    const parts = splitCompact(token, this.settings.maxTokenLength);
    const payload: JwtClaims = parseObject('payload', readText('payload', parts.payload));
    const verifyBy = (source: TrustSource): VerifiedToken | Promise<VerifiedToken> => {
      if (options.issuers && !options.issuers.includes(source.name)) throw notAccepted();
      // A type that the call asks for is one more condition: that of the record stays.
      if (source.issuer && options.asked?.typ !== undefined) {
        checkType(readHeader(parts.header), source.issuer.expect.typ);
      }
      return source.verifier.verify(token, expectedOf(source, options), now);
    };
    const source = this.sources.select(payload.iss);
    return isPromise(source) ? source.then(verifyBy) : verifyBy(source);
  }

  /** @see TokenVerifier.recheck */
  async recheck(token: string, jws: CompactJws, options: VerifySettings): Promise<void> {
    const source = await this.sources.select(jws.payload.iss);
    await source.verifier.recheck(token, jws, expectedOf(source, options));
  }
}
