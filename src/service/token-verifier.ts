import {
  RevocationUnavailableError,
  TokenKeyUnknownError,
  TokenRevokedError,
  TokenSignatureError,
} from '../errors/errors.js';
import { checkClaims, type JwtClaims } from '../jwt/claims.js';
import { decodeBase64url } from '../jwt/base64url.js';
import { type CompactJws, type JwtHeader, type ReceivedToken, receiveToken } from '../jwt/compact.js';
import type { VerificationKey } from '../jwt/jwk.js';
import { checkType, readHeader, type ReceivedHeader } from '../jwt/received-header.js';
import { SIGNATURE_CHECKS, type SignatureChecks } from '../jwt/signature-checks.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { KmsJwtSettings, LimitSettings, VerifySettings } from '../options/settings.js';
import { askWithin } from './ask-within.js';
import { parseClaims } from './claims-schema.js';
import type { KmsVerifier } from './kms-verifier.js';
import type { TrustSource } from './trust-sources.js';
import { type VerifiedSignature, VerifiedTokens } from './verified-tokens.js';

/** A token that verified. */
export interface VerifiedToken {
  readonly header: ReceivedHeader;
  readonly payload: JwtClaims;
  /** The payload as the schema, if there is one, returns it. */
  readonly claims: unknown;
  /** Whose keys verified it; undefined without the option `issuers`. */
  readonly source?: TrustSource;
}

export type VerifierSettings = Pick<KmsJwtSettings, 'isRevoked' | 'cache'> &
  Pick<LimitSettings, 'maxTokenLength' | 'timeout'>;

/** Verifies tokens, and rechecks verified ones. */
export interface Verifier {
  verify(token: unknown, options: VerifySettings, now: () => number): VerifiedToken | Promise<VerifiedToken>;
  recheck(token: string, jws: CompactJws, options: VerifySettings, now: () => number): Promise<void>;
}

/** A token whose form was checked. */
interface ReadToken extends ReceivedToken {
  readonly header: ReceivedHeader;
  readonly signature: Buffer;
}

/** A token to verify, and the options of the call. */
export interface Question {
  readonly token: unknown;
  readonly options: VerifySettings;
  /** The time, in seconds since 1970. */
  readonly now: () => number;
}

/**
 * Verifies a token, from its length to its last claim. Only an unknown `kid` can trigger a lookup. Its methods return a
 * promise only if there is something to wait for.
 */
export class TokenVerifier implements Verifier {
  private readonly verified: VerifiedTokens;

  constructor(
    private readonly ring: Pick<KeyRing, 'find' | 'known' | 'trusts'>,
    private readonly settings: VerifierSettings,
    private readonly kms: Pick<KmsVerifier, 'verify'>,
    private readonly checks: SignatureChecks = SIGNATURE_CHECKS,
  ) {
    this.verified = new VerifiedTokens(settings.cache ? settings.cache.max : 0);
  }

  /** @param now the time, in seconds since 1970 */
  verify(token: unknown, options: VerifySettings, now: () => number): VerifiedToken | Promise<VerifiedToken> {
    const question = { token, options, now };
    const keys = this.ring.known;
    const known = this.knownSignature(token, keys);
    if (known && this.checks.mayAnswerKnown()) return this.acceptKnown(known, question);
    if (known || !this.checks.mayRead()) return this.verifyLater(question);
    return this.verifyAnew(this.receive(token), question, keys);
  }

  /** Like `verify`, for a token whose payload was read to find its issuer. */
  verifyReceived(received: ReceivedToken, question: Question): VerifiedToken | Promise<VerifiedToken> {
    const keys = this.ring.known;
    const known = this.knownSignature(question.token, keys);
    if (!known) return this.verifyAnew(received, question, keys);
    checkType(known.header, question.options.typ);
    return this.accept(known.header, received.payload, known.key, question);
  }

  /**
   * Repeats the checks that can end a token before it expires: the app's `isRevoked`, and KMS if it is to verify, too.
   *
   * @param token a token that was verified before
   */
  async recheck(token: string, { payload, header }: CompactJws, options: VerifySettings): Promise<void> {
    await this.checkRevocation(payload, header);
    if (options.verification !== 'kms') return;
    const key = this.ring.known?.get(header.kid as string);
    if (!key) throw new TokenKeyUnknownError();
    await this.kms.verify(token, key);
  }

  /** @throws TokenRevokedError, RevocationUnavailableError */
  private async checkRevocation(payload: JwtClaims, header: JwtHeader): Promise<void> {
    const { isRevoked, timeout } = this.settings;
    if (!isRevoked) return;
    const ask = async () => isRevoked(payload, header);
    const answer: unknown = await askWithin(timeout, ask, 'isRevoked', RevocationUnavailableError);
    if (answer === true) throw new TokenRevokedError();
    if (answer !== false) throw new RevocationUnavailableError('isRevoked must return true or false');
  }

  private async verifyLater(question: Question): Promise<VerifiedToken> {
    await this.checks.room();
    const keys = this.ring.known;
    const known = this.knownSignature(question.token, keys);
    if (known) return this.acceptKnown(known, question);
    return this.verifyAnew(this.receive(question.token), question, keys);
  }

  private knownSignature(token: unknown, keys: KeyRing['known']): VerifiedSignature | undefined {
    return keys && typeof token === 'string' ? this.verified.get(token, keys) : undefined;
  }

  private acceptKnown(
    { header, payload, key }: VerifiedSignature,
    question: Question,
  ): VerifiedToken | Promise<VerifiedToken> {
    checkType(header, question.options.typ);
    return this.accept(header, JSON.parse(payload) as JwtClaims, key, question);
  }

  private receive(token: unknown): ReceivedToken {
    return receiveToken(token, this.settings.maxTokenLength);
  }

  private verifyAnew(
    received: ReceivedToken,
    question: Question,
    keys: KeyRing['known'],
  ): VerifiedToken | Promise<VerifiedToken> {
    const read = this.read(received, question.options);
    const { kid } = read.header;
    // No key can have such a kid: a refresh would not find one.
    if (kid === undefined) throw new TokenKeyUnknownError();
    const key = keys?.get(kid);
    return key ? this.verifyBy(key, read, question) : this.verifyByFetchedKey(kid, read, question);
  }

  private read({ parts, json, payload }: ReceivedToken, { typ }: VerifySettings): ReadToken {
    const header = this.verified.header(parts.header) ?? readHeader(parts.header);
    const signature = decodeBase64url(parts.signature);
    checkType(header, typ);
    return { parts, json, payload, header, signature };
  }

  private async verifyByFetchedKey(kid: string, read: ReadToken, question: Question): Promise<VerifiedToken> {
    const key = await this.ring.find(kid);
    if (!key) throw new TokenKeyUnknownError();
    // Many calls may have waited for one fetch.
    if (!this.checks.mayRead()) {
      await this.checks.room();
      this.refuseUntrusted(key);
    }
    return this.verifyBy(key, read, question);
  }

  private verifyBy(
    key: VerificationKey,
    read: ReadToken,
    question: Question,
  ): VerifiedToken | Promise<VerifiedToken> {
    // RFC 8725, section 3.1: the algorithm is the key's; the token may only agree.
    if (read.header.alg !== key.algorithm.alg) {
      throw new TokenSignatureError('The algorithm of the token is not that of the key');
    }
    const input = Buffer.from(read.parts.signingInput, 'latin1');
    const isValid = this.checks.check({ input, signature: read.signature, key });
    if (typeof isValid === 'boolean') return this.acceptIf(isValid, read, key, question);
    return this.acceptOnceChecked(isValid, read, key, question);
  }

  private async acceptOnceChecked(
    isValid: Promise<boolean>,
    read: ReadToken,
    key: VerificationKey,
    question: Question,
  ): Promise<VerifiedToken> {
    const hasVerified = await isValid;
    // Meanwhile the key may have left the ring, and its tokens the cache.
    if (hasVerified) this.refuseUntrusted(key);
    return this.acceptIf(hasVerified, read, key, question);
  }

  private acceptIf(
    isValid: boolean,
    { parts, header, json, payload }: ReadToken,
    key: VerificationKey,
    question: Question,
  ): VerifiedToken | Promise<VerifiedToken> {
    if (!isValid) throw new TokenSignatureError();
    this.verified.add(question.token as string, parts.header, { header, payload: json, key });
    return this.accept(header, payload, key, question);
  }

  /** Checks what may change from call to call. */
  private accept(
    header: ReceivedHeader,
    payload: JwtClaims,
    key: VerificationKey,
    question: Question,
  ): VerifiedToken | Promise<VerifiedToken> {
    const { options, now } = question;
    checkClaims(payload, options, options.clockTimestamp ?? now());
    const isAnswered = !options.schema && !this.settings.isRevoked && options.verification !== 'kms';
    return isAnswered ? { header, payload, claims: payload } : this.ask(header, payload, key, question);
  }

  /** Asks the app and then KMS: a token that is refused for any other reason costs no call. */
  private async ask(
    header: ReceivedHeader,
    payload: JwtClaims,
    key: VerificationKey,
    { token, options, now }: Question,
  ): Promise<VerifiedToken> {
    // Meanwhile the token may have expired, and its key may have been distrusted.
    const checkAgain = () => {
      checkClaims(payload, options, options.clockTimestamp ?? now());
      this.refuseUntrusted(key);
    };
    const claims = options.schema
      ? await parseClaims(payload, options.schema, this.settings.timeout)
      : payload;
    await this.checkRevocation(payload, JSON.parse(header.text) as JwtHeader);
    checkAgain();
    if (options.verification === 'kms') {
      await this.kms.verify(token as string, key);
      checkAgain();
    }
    return { header, payload, claims };
  }

  private refuseUntrusted(key: VerificationKey): void {
    if (!this.ring.trusts(key)) throw new TokenKeyUnknownError();
  }
}
