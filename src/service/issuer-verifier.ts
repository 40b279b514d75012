import { isPromise } from '../async/is-promise.js';
import { TokenKeyUnknownError } from '../errors/errors.js';
import { checkClaims } from '../jwt/claims.js';
import { type CompactJws, type ReceivedToken, receiveToken } from '../jwt/compact.js';
import { checkType, readHeader } from '../jwt/received-header.js';
import { SIGNATURE_CHECKS, type SignatureChecks } from '../jwt/signature-checks.js';
import type { VerifySettings } from '../options/settings.js';
import { expectedOf } from './expected-of-issuer.js';
import type { Question, VerifiedToken, Verifier } from './token-verifier.js';
import { notAccepted, type TrustSource, type TrustSources } from './trust-sources.js';

/** Verifies tokens of several issuers, each only with the keys and options of its own issuer. */
export class IssuerVerifier implements Verifier {
  constructor(
    private readonly sources: Pick<TrustSources, 'select'>,
    private readonly settings: { readonly maxTokenLength: number },
    private readonly checks: Pick<SignatureChecks, 'mayRead' | 'room'> = SIGNATURE_CHECKS,
  ) {}

  /** @see TokenVerifier.verify */
  verify(token: unknown, options: VerifySettings, now: () => number): VerifiedToken | Promise<VerifiedToken> {
    const question = { token, options, now };
    return this.checks.mayRead() ? this.verifyNow(question) : this.verifyLater(question);
  }

  /**
   * Also checks that the token still fits the record and the keys of its issuer: both may have changed.
   *
   * @see TokenVerifier.recheck
   */
  async recheck(token: string, jws: CompactJws, options: VerifySettings, now: () => number): Promise<void> {
    const source = await this.sources.select(jws.payload.iss);
    const expected = expectedOf(source, options);
    if (!(await source.ring.find(jws.header.kid as string))) throw new TokenKeyUnknownError();
    // The watch itself reports when the token expires.
    checkClaims(jws.payload, { ...expected, ignoreExpiration: true, maxAge: undefined }, now());
    await source.verifier.recheck(token, jws, expected);
  }

  private async verifyLater(question: Question): Promise<VerifiedToken> {
    await this.checks.room();
    return this.verifyNow(question);
  }

  private verifyNow(question: Question): VerifiedToken | Promise<VerifiedToken> {
    const received = receiveToken(question.token, this.settings.maxTokenLength);
    const source = this.sources.select(received.payload.iss);
    if (isPromise(source)) return this.verifyOnceFound(source, received, question);
    return verifyBy(source, received, question);
  }

  private async verifyOnceFound(
    source: Promise<TrustSource>,
    received: ReceivedToken,
    question: Question,
  ): Promise<VerifiedToken> {
    const found = await source;
    // Many calls may have waited for one lookup.
    if (!this.checks.mayRead()) await this.checks.room();
    return verifyBy(found, received, question);
  }
}

function verifyBy(
  source: TrustSource,
  received: ReceivedToken,
  { token, options, now }: Question,
): VerifiedToken | Promise<VerifiedToken> {
  if (options.issuers && !options.issuers.includes(source.name)) throw notAccepted();
  // The typ that the call requires is an additional condition: that of the record still applies.
  if (source.issuer && options.asked?.typ !== undefined) {
    checkType(readHeader(received.parts.header), source.issuer.expect.typ);
  }
  const question = { token, options: expectedOf(source, options), now };
  const verified = source.verifier.verifyReceived(received, question);
  return isPromise(verified) ? verified.then((one) => ({ ...one, source })) : { ...verified, source };
}
