import { setMaxListeners } from 'node:events';
import { KmsSignatureError, KmsUnavailableError } from '../errors/errors.js';
import { InFlight } from '../async/in-flight.js';
import { encodeBase64url } from '../jwt/base64url.js';
import { makeClaims, serializeClaims } from '../jwt/claims.js';
import type { JwtHeader } from '../jwt/compact.js';
import { fromKmsSignature } from '../jwt/kms-signature.js';
import { SIGNATURE_CHECKS, type SignatureChecks } from '../jwt/signature-checks.js';
import type { AliasSigner } from '../keys/alias-signer.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { SigningKey } from '../keys/signing-key.js';
import type { KmsGateway, KmsSignature } from '../kms/kms-gateway.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { KmsJwtSettings, LimitSettings, SignSettings } from '../options/settings.js';
import { Deadline, type TimeoutError, untilAborted, within } from '../async/deadline.js';
import { kmsMessage } from './kms-message.js';

export type SignerSettings = Pick<KmsJwtSettings, 'messageType'> & Pick<LimitSettings, 'timeout'>;

/** Signs tokens: makes the claims, calls KMS and checks the signature. */
export class TokenSigner {
  /** How many tokens were withheld because the signature from KMS did not verify. */
  refusedSignatures = 0;

  private readonly signatures = new InFlight();
  private readonly headers = new WeakMap<SigningKey, string>();
  private isClosed = false;

  /** @param emit is called for each signature that is refused */
  constructor(
    private readonly ring: Pick<KeyRing, 'recordLifetime'>,
    private readonly keys: Pick<AliasSigner, 'sign'>,
    private readonly gateway: Pick<KmsGateway, 'sign'>,
    private readonly settings: SignerSettings,
    private readonly emit: (event: KmsJwtEvent) => void,
    private readonly checks: SignatureChecks = SIGNATURE_CHECKS,
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

    const token = await untilAborted(this.signOrCount(json, options), options.signal);
    this.ring.recordLifetime(claims.exp === undefined ? undefined : claims.exp - now);
    return token;
  }

  private async signOrCount(claims: string, options: SignSettings): Promise<string> {
    const deadline = new Deadline(this.settings.timeout);
    this.signatures.enter();
    try {
      return await this.signWithActive(claims, options, deadline);
    } catch (error) {
      if (error instanceof KmsSignatureError) {
        this.refusedSignatures += 1;
        this.emit({ type: 'signature_refused', error });
      }
      throw error;
    } finally {
      deadline.end();
      this.signatures.leave();
    }
  }

  private async signWithActive(claims: string, options: SignSettings, deadline: Deadline): Promise<string> {
    const { key, answer } = await this.keys.sign(
      (candidate, keyId) => this.send(candidate, keyId, claims, options, deadline),
      (promise) => untilAborted(deadline.race(promise, timeoutErrorOf(deadline)), options.signal),
    );
    const { signingInput } = answer;
    const signature = fromKmsSignature(answer.signature, key);
    const input = Buffer.from(signingInput, 'latin1');
    if (!(await this.checks.check({ input, signature, key }))) {
      throw new KmsSignatureError(
        `KMS returned a signature that does not verify with the public key of ${key.keyArn}`,
      );
    }
    return `${signingInput}.${encodeBase64url(signature)}`;
  }

  private async send(
    key: SigningKey,
    keyId: string,
    claims: string,
    { header, signal }: SignSettings,
    deadline: Deadline,
  ): Promise<KmsSignature & { signingInput: string }> {
    const { algorithm } = key;
    const signingInput = `${header ? encodedHeader(key, header) : this.defaultHeader(key)}.${encodeBase64url(claims)}`;
    const message = kmsMessage(signingInput, key, this.settings.messageType);
    const signature = await this.gateway.sign({ keyId, algorithm, ...message, signal, deadline });
    return { ...signature, signingInput };
  }

  /** The header of tokens without the option `header`: the same for all tokens of a key. */
  private defaultHeader(key: SigningKey): string {
    const known = this.headers.get(key);
    if (known !== undefined) return known;
    const encoded = encodedHeader(key);
    this.headers.set(key, encoded);
    return encoded;
  }
}

function encodedHeader({ algorithm: { alg }, kid }: SigningKey, header?: JwtHeader): string {
  return encodeBase64url(JSON.stringify(Object.assign({ alg, typ: 'JWT' }, header, { alg, kid })));
}

function timeoutErrorOf({ timeoutMs }: Deadline): TimeoutError {
  return (blockedMs) =>
    new KmsUnavailableError(
      blockedMs > 0 ? 'blocked' : 'timeout',
      `KMS did not answer ${within(timeoutMs, blockedMs)}: no token was signed`,
    );
}

/** One signal may cancel many signatures, and Node warns at the eleventh listener. */
function allowManyListeners(signal: AbortSignal | undefined): void {
  if (!signal) return;
  try {
    setMaxListeners(0, signal);
  } catch {
    // A foreign AbortSignal, such as jsdom's: Node does not count its listeners.
  }
}
