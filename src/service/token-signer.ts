import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { KmsJwtOptionsError, KmsKeyError, KmsSignatureError, KmsUnavailableError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import { InFlight } from '../async/in-flight.js';
import { decodeBase64url, encodeBase64url } from '../jwt/base64url.js';
import { makeClaims, serializeClaims } from '../jwt/claims.js';
import { derToJoseSignature, isSignatureValid } from '../jwt/signature.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { SigningKey } from '../keys/signing-key.js';
import { isSameKey } from '../kms/key-arn.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { KmsJwtSettings, LimitSettings, SignSettings } from '../options/settings.js';
import { untilAborted, withDeadline } from '../async/deadline.js';

/** AWS Sign takes a RAW message of at most so many bytes. */
const MAX_RAW_LENGTH = 4096;

class OtherKeyError extends KmsSignatureError {
  override readonly name = 'KmsSignatureError';
}

export type SignerSettings = Pick<KmsJwtSettings, 'keyId' | 'messageType' | 'requestAlias'> &
  Pick<LimitSettings, 'timeout'>;

/** How a token is signed, from its claims to its last character. */
export class TokenSigner {
  /** How many tokens were withheld because the signature from KMS did not verify. */
  refusedSignatures = 0;

  private readonly signatures = new InFlight();
  private isClosed = false;

  /** @param emit is called for each signature that is refused */
  constructor(
    private readonly ring: KeyRing,
    private readonly gateway: Pick<KmsGateway, 'sign'>,
    private readonly settings: SignerSettings,
    private readonly emit: (event: KmsJwtEvent) => void,
  ) {}

  /** Refuses new calls, and waits for pending signatures. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.signatures.ended();
  }

  /**
   * One deadline covers the wait for the key, for a slot and for KMS, and the second attempt after a change of the key.
   *
   * @param now seconds since 1970
   */
  async sign(payload: object, options: SignSettings, now: number): Promise<string> {
    const claims = makeClaims(payload, options, now);
    const json = serializeClaims(claims);
    options.signal?.throwIfAborted();
    if (this.isClosed) {
      throw new KmsUnavailableError('shutdown', 'No token was signed: this process is shutting down');
    }
    allowManyListeners(options.signal);

    const { timeout } = this.settings;
    const timeoutError = () =>
      new KmsUnavailableError('timeout', `KMS did not answer within ${timeout} ms: no token was signed`);
    const signing = withDeadline(
      (signal) => this.signOrCount(json, { ...options, signal }),
      timeout,
      timeoutError,
      options.signal,
    );
    const token = await this.signatures.track(signing);
    this.ring.recordLifetime(claims.exp === undefined ? undefined : claims.exp - now);
    return token;
  }

  private async signOrCount(claims: string, options: SignSettings): Promise<string> {
    try {
      return await this.signWithActive(claims, options);
    } catch (error) {
      if (error instanceof KmsSignatureError) {
        this.refusedSignatures += 1;
        this.emit({ type: 'signature_refused', error });
      }
      throw error;
    }
  }

  /** Retries once if the key has changed since the last refresh. */
  private async signWithActive(claims: string, options: SignSettings): Promise<string> {
    const key = await untilAborted(this.ring.active(), options.signal);
    try {
      return await this.signWith(key, claims, options);
    } catch (error) {
      if (!(await this.hasMovedOn(error, key, options.signal))) throw error;
      return this.signWith(await untilAborted(this.ring.active(), options.signal), claims, options);
    }
  }

  private async hasMovedOn(
    error: unknown,
    key: SigningKey,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    // The old key was disabled too early.
    if (error instanceof KmsKeyError) return this.ring.retireEarly(key);
    // The alias that was sent stands for another key by now.
    if (!(error instanceof OtherKeyError) || !this.settings.requestAlias) return false;
    await untilAborted(this.ring.refresh(), signal);
    return true;
  }

  private async signWith(key: SigningKey, claims: string, options: SignSettings): Promise<string> {
    const fromKey = { alg: key.algorithm.alg, kid: key.kid };
    const header = Object.assign({ alg: '', typ: 'JWT' }, options.header, fromKey);
    const signingInput = `${encodeBase64url(JSON.stringify(header))}.${encodeBase64url(claims)}`;
    const signature = await this.signatureOf(signingInput, key, options.signal);
    return `${signingInput}.${signature}`;
  }

  private async signatureOf(signingInput: string, key: SigningKey, signal?: AbortSignal): Promise<string> {
    const { keyArn, der } = await this.gateway.sign({
      // The ARN, not the alias: an alias may move, and the token would name the wrong key.
      keyId: (this.settings.requestAlias && this.settings.keyId) || key.keyArn,
      algorithm: key.algorithm,
      messageType: this.settings.messageType,
      message: this.messageOf(signingInput, key),
      signal,
    });
    if (!isSameKey(keyArn, key.keyArn)) {
      throw new OtherKeyError(`KMS signed with the key ${printableName(keyArn)} instead of ${key.keyArn}`);
    }

    const signature = derToJoseSignature(der, key.algorithm);
    if (!isSignatureValid(signingInput, decodeBase64url(signature), key.publicKey, key.algorithm)) {
      throw new KmsSignatureError(
        `KMS returned a signature that does not verify by the public key of ${key.keyArn}`,
      );
    }
    return signature;
  }

  private messageOf(signingInput: string, { algorithm }: SigningKey): Uint8Array {
    if (this.settings.messageType === 'DIGEST')
      return createHash(algorithm.hash).update(signingInput).digest();
    if (signingInput.length > MAX_RAW_LENGTH) {
      const limit = `'RAW' takes tokens of up to ${MAX_RAW_LENGTH} bytes before the signature`;
      throw new KmsJwtOptionsError(
        'messageType',
        `${limit}; this one has ${signingInput.length}: use 'DIGEST'`,
      );
    }
    return Buffer.from(signingInput);
  }
}

/** One signal may end many signatures, and Node warns of an eleventh listener. */
function allowManyListeners(signal: AbortSignal | undefined): void {
  if (!signal) return;
  try {
    setMaxListeners(0, signal);
  } catch {
    // A foreign AbortSignal, such as jsdom's: Node does not count its listeners.
  }
}
