import { types } from 'node:util';
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { KmsSignatureError, KmsUnavailableError } from '../errors/errors.js';
import { InFlight } from '../async/in-flight.js';
import type { Algorithm } from '../jwt/algorithms.js';
import { untilAborted, withDeadline } from '../async/deadline.js';
import { Circuit, type CircuitEvent } from './circuit.js';
import { timedOut, translateKmsError } from './kms-errors.js';
import { Turns, type TurnSettings } from './concurrency-limit.js';

/** What AWS's GetPublicKey says of a key. */
export interface KmsPublicKey {
  /** The key's ARN, also when it was asked for by alias. (Some emulators give the bare key id.) */
  keyArn: string;
  /** The public key as DER SubjectPublicKeyInfo. */
  spki: Uint8Array;
  keySpec: string | undefined;
  keyUsage: string | undefined;
}

/** What AWS's Sign is asked for. */
export interface KmsSignRequest {
  keyId: string;
  algorithm: Algorithm;
  messageType: 'DIGEST' | 'RAW';
  message: Uint8Array;
  signal?: AbortSignal;
  /** In milliseconds. Default: that of the gateway. */
  timeout?: number;
}

/** What AWS's Sign answers. */
export interface KmsSignature {
  keyArn: string;
  /** ASN.1 DER, not checked. */
  der: Uint8Array;
}

/** How calls are made. */
export interface KmsGatewaySettings extends TurnSettings {
  /** Of one call, its wait for a turn and the SDK's retries included, in milliseconds. */
  timeout: number;
}

/**
 * The only room that talks to AWS. One deadline stands over each call, its turn and the SDK's retries included; what goes
 * wrong is told in this library's errors.
 */
export class KmsGateway {
  private readonly turns: Turns;
  private readonly breaker: Circuit;
  private readonly calls = new InFlight();
  private isClosed = false;

  /**
   * @param isOwn whether `close` destroys the client
   * @param tell is told when KMS is away, and when it is back
   * @param now milliseconds of a clock that never goes back
   */
  constructor(
    private readonly client: KMSClient,
    private readonly isOwn: boolean,
    private readonly settings: KmsGatewaySettings,
    tell?: (event: CircuitEvent) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.turns = new Turns(settings);
    this.breaker = new Circuit(tell, now);
  }

  /** `open` while KMS is away: one call at a time tries, all others are refused at once. */
  get circuit(): 'closed' | 'open' {
    return this.breaker.state;
  }

  /** AWS GetPublicKey. @throws KmsKeyError, KmsAccessDeniedError, KmsUnavailableError, KmsJwtOptionsError */
  async getPublicKey(keyId: string): Promise<KmsPublicKey> {
    const answer = await this.call('GetPublicKey', keyId, undefined, (abortSignal) =>
      this.client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal }),
    );
    if (!isKeyId(answer.KeyId) || !types.isUint8Array(answer.PublicKey)) {
      throw new KmsUnavailableError('failure', `KMS answered GetPublicKey for ${keyId} without a key`);
    }
    return {
      keyArn: answer.KeyId,
      spki: answer.PublicKey,
      keySpec: answer.KeySpec ?? answer.CustomerMasterKeySpec,
      keyUsage: answer.KeyUsage,
    };
  }

  /**
   * AWS Sign, once.
   *
   * @throws KmsKeyError, KmsAccessDeniedError, KmsUnavailableError, KmsSignatureError, KmsJwtOptionsError; the reason
   * of `signal` when that aborts
   */
  async sign({
    keyId,
    algorithm,
    messageType,
    message,
    signal,
    timeout,
  }: KmsSignRequest): Promise<KmsSignature> {
    const answer = await this.call(
      'Sign',
      keyId,
      signal,
      (abortSignal) =>
        this.client.send(
          new SignCommand({
            KeyId: keyId,
            SigningAlgorithm: algorithm.signingAlgorithm,
            MessageType: messageType,
            Message: message,
          }),
          { abortSignal },
        ),
      timeout,
    );
    if (!isKeyId(answer.KeyId) || !types.isUint8Array(answer.Signature)) {
      throw new KmsSignatureError(`KMS answered Sign with ${keyId} without a signature`);
    }
    return { keyArn: answer.KeyId, der: answer.Signature };
  }

  /** Refuses new calls, lets those under way end within their deadline, then lets go of the client. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.calls.ended();
    if (this.isOwn) this.client.destroy();
  }

  /** The caller may leave at any time. The call itself goes on, as only its end tells how KMS is. */
  private async call<Answer>(
    operation: string,
    keyId: string,
    signal: AbortSignal | undefined,
    send: (abortSignal: AbortSignal) => Promise<Answer>,
    timeout = this.settings.timeout,
  ): Promise<Answer> {
    signal?.throwIfAborted();
    if (this.isClosed) {
      throw new KmsUnavailableError('shutdown', 'No call of KMS was made: this process is shutting down');
    }
    this.breaker.throwIfOpen();
    const end = this.now() + timeout;
    const answer = async (abortSignal: AbortSignal) => {
      try {
        return await send(abortSignal);
      } catch (error) {
        throw translateKmsError(error, operation, keyId);
      }
    };
    const inTurn = async () => {
      // KMS has the other half: where it had less, one that is merely slow would look as if it were away.
      await this.turns.take(timeout / 2, signal);
      try {
        const late = () => timedOut(operation, keyId, timeout);
        return await this.breaker.run(() => withDeadline(answer, end - this.now(), late));
      } finally {
        this.turns.release();
      }
    };
    return untilAborted(this.calls.track(inTurn()), signal);
  }
}

/** From the wire it comes into messages, and so into logs. */
function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w:/-]{1,2048}$/.test(value);
}
