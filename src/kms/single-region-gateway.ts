import { types } from 'node:util';
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { untilAborted, withDeadline } from '../async/deadline.js';
import { InFlight } from '../async/in-flight.js';
import { KmsSignatureError, KmsUnavailableError } from '../errors/errors.js';
import { Circuit, type CircuitEvent } from './circuit.js';
import { ConcurrencyLimit, type ConcurrencySettings } from './concurrency-limit.js';
import { timeoutError, translateKmsError } from './kms-errors.js';
import type { KmsGateway, KmsPublicKey, KmsSignature, KmsSignRequest } from './kms-gateway.js';

/** The limits of the calls in one Region. */
export interface GatewayLimits extends ConcurrencySettings {
  /** The time limit of one call in milliseconds, including the wait for a free slot and the SDK's retries. */
  timeout: number;
}

/** Calls KMS with one client. */
export class SingleRegionGateway implements KmsGateway {
  private readonly concurrency: ConcurrencyLimit;
  private readonly breaker: Circuit;
  private readonly calls = new InFlight();
  private isClosed = false;

  /**
   * @param ownsClient whether `close` destroys the client
   * @param onEvent called when the circuit opens and when it closes
   * @param now a monotonic clock in milliseconds
   */
  constructor(
    private readonly client: KMSClient,
    private readonly ownsClient: boolean,
    private readonly limits: GatewayLimits,
    onEvent?: (event: CircuitEvent) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.concurrency = new ConcurrencyLimit(limits);
    this.breaker = new Circuit(onEvent, now);
  }

  get circuit(): 'closed' | 'open' {
    return this.breaker.state;
  }

  async getPublicKey(keyId: string): Promise<KmsPublicKey> {
    const reply = await this.call('GetPublicKey', { keyId }, (abortSignal) =>
      this.client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal }),
    );
    if (!isKeyId(reply.KeyId) || !types.isUint8Array(reply.PublicKey)) {
      throw new KmsUnavailableError(
        'failure',
        `The KMS reply to GetPublicKey (${keyId}) contains no valid public key`,
      );
    }
    return {
      keyArn: reply.KeyId,
      spki: reply.PublicKey,
      keySpec: reply.KeySpec ?? reply.CustomerMasterKeySpec,
      keyUsage: reply.KeyUsage,
    };
  }

  async sign(request: KmsSignRequest): Promise<KmsSignature> {
    const { keyId, algorithm, messageType, message } = request;
    const command = new SignCommand({
      KeyId: keyId,
      SigningAlgorithm: algorithm.signingAlgorithm,
      MessageType: messageType,
      Message: message,
    });
    const reply = await this.call('Sign', request, (abortSignal) =>
      this.client.send(command, { abortSignal }),
    );
    if (!isKeyId(reply.KeyId) || !types.isUint8Array(reply.Signature)) {
      throw new KmsSignatureError(`The KMS reply to Sign (${keyId}) contains no valid signature`);
    }
    return { keyArn: reply.KeyId, der: reply.Signature };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.calls.ended();
    if (this.ownsClient) this.client.destroy();
  }

  /** The signal ends the wait only. The call continues, as its outcome shows whether KMS is available. */
  private async call<Reply>(
    operation: string,
    { keyId, signal, timeout = this.limits.timeout }: CallOptions,
    send: (abortSignal: AbortSignal) => Promise<Reply>,
  ): Promise<Reply> {
    signal?.throwIfAborted();
    if (this.isClosed) {
      throw new KmsUnavailableError('shutdown', 'No KMS call was made: this process is shutting down');
    }
    this.breaker.throwIfOpen();
    const deadlineAt = this.now() + timeout;
    const sendAndTranslate = async (abortSignal: AbortSignal) => {
      try {
        return await send(abortSignal);
      } catch (error) {
        throw translateKmsError(error, operation, keyId);
      }
    };
    const callWhenFree = async () => {
      // The other half is left for KMS: with less, calls to a slow KMS would time out and open the circuit.
      await this.concurrency.acquire(timeout / 2, signal);
      try {
        const onTimeout = () => timeoutError(operation, keyId, timeout);
        return await this.breaker.run(() =>
          withDeadline(sendAndTranslate, deadlineAt - this.now(), onTimeout),
        );
      } finally {
        this.concurrency.release();
      }
    };
    return untilAborted(this.calls.track(callWhenFree()), signal);
  }
}

type CallOptions = Pick<KmsSignRequest, 'keyId' | 'signal' | 'timeout'>;

/** Key ids of replies appear in messages and so in logs. */
function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w:/-]{1,2048}$/.test(value);
}
