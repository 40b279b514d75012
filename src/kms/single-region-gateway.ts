import { types } from 'node:util';
import type { SignCommandInput } from '@aws-sdk/client-kms';
import { BLOCKED_TIME, LONG_BLOCK_MS } from '../async/blocked-time.js';
import { Deadline } from '../async/deadline.js';
import { InFlight } from '../async/in-flight.js';
import { KmsSignatureError, KmsUnavailableError, TokenSignatureError } from '../errors/errors.js';
import { Circuit, type CircuitEvent } from './circuit.js';
import { ConcurrencyLimit, type ConcurrencySettings } from './concurrency-limit.js';
import { isSameKey } from './key-arn.js';
import type { KmsCall, KmsClient } from './kms-client.js';
import type { KmsClients } from './kms-clients.js';
import {
  blockedError,
  isCredentialsError,
  isTimeout,
  REFUSED_SIGNATURE,
  timeoutError,
  translateKmsError,
} from './kms-errors.js';
import type {
  KmsGateway,
  KmsPublicKey,
  KmsSignature,
  KmsSignRequest,
  KmsVerifyRequest,
} from './kms-gateway.js';

/** The limits of the calls in one Region. */
export interface GatewayLimits extends ConcurrencySettings {
  /** The time limit of one call in milliseconds, including the wait for a free slot and the SDK's retries. */
  timeout: number;
}

type Operation = 'GetPublicKey' | 'Sign' | 'Verify';

/** A change of the circuit of one operation. */
export type OperationEvent = CircuitEvent & { readonly operation: 'Sign' | 'Verify' };

/** Calls KMS in one Region. */
export class SingleRegionGateway implements KmsGateway {
  /** Verify has its own slots: its unanswered calls must not keep Sign from being sent. */
  private readonly concurrency: Readonly<Record<Operation, ConcurrencyLimit>>;
  /** One each: an outage of another operation must not keep Sign from being sent. */
  private readonly circuits: Readonly<Record<Operation, Circuit>>;
  private readonly calls = new InFlight();
  private isClosed = false;

  /**
   * @param onEvent called when the circuit of Sign or Verify opens and when it closes
   * @param now a monotonic clock in milliseconds
   */
  constructor(
    private readonly clients: KmsClients,
    private readonly limits: GatewayLimits,
    onEvent: (event: OperationEvent) => void = () => {},
    now: () => number = () => performance.now(),
  ) {
    const signing = new ConcurrencyLimit(limits);
    this.concurrency = { GetPublicKey: signing, Sign: signing, Verify: new ConcurrencyLimit(limits) };
    const circuitOf = (operation: 'Sign' | 'Verify') =>
      new Circuit((event) => onEvent({ ...event, operation }), now);
    this.circuits = {
      GetPublicKey: new Circuit(undefined, now),
      Sign: circuitOf('Sign'),
      Verify: circuitOf('Verify'),
    };
  }

  get circuit(): 'closed' | 'open' {
    return this.circuits.Sign.state;
  }

  get verifyCircuit(): 'closed' | 'open' {
    return this.circuits.Verify.state;
  }

  async getPublicKey(keyId: string): Promise<KmsPublicKey> {
    const reply = await this.call('GetPublicKey', { keyId }, (client, call) =>
      client.getPublicKey({ KeyId: keyId }, call),
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
    const { keyId } = request;
    const reply = await this.call('Sign', request, (client, call) => client.sign(inputOf(request), call));
    if (!isKeyId(reply.KeyId) || !types.isUint8Array(reply.Signature)) {
      throw new KmsSignatureError(`The KMS reply to Sign (${keyId}) contains no valid signature`);
    }
    return { keyArn: reply.KeyId, signature: reply.Signature };
  }

  async verify(request: KmsVerifyRequest): Promise<void> {
    const { keyId, signature } = request;
    const reply = await this.call('Verify', request, (client, call) =>
      client.verify({ ...inputOf(request), Signature: signature }, call),
    );
    // KMS responds with an error instead; some emulators respond like this.
    if (reply.SignatureValid === false) throw new TokenSignatureError(REFUSED_SIGNATURE);
    if (reply.SignatureValid !== true || !isKeyId(reply.KeyId) || !isSameKey(reply.KeyId, keyId)) {
      throw new KmsUnavailableError(
        'failure',
        `The KMS reply to Verify (${keyId}) contains no valid verdict`,
      );
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.calls.ended();
    this.clients.destroy();
  }

  private async call<Reply>(operation: Operation, options: CallOptions, send: Send<Reply>): Promise<Reply> {
    options.signal?.throwIfAborted();
    if (this.isClosed) {
      throw new KmsUnavailableError('shutdown', 'No KMS call was made: this process is shutting down');
    }
    const circuit = this.circuits[operation];
    const concurrency = this.concurrency[operation];
    circuit.throwIfOpen();
    const deadline = options.deadline ?? new Deadline(this.limits.timeout);
    this.calls.enter();
    try {
      // The other half is left for KMS: with less, calls to a slow KMS would time out and open the circuit.
      const slot = concurrency.acquire(Math.ceil(deadline.remainingMs / 2), options.signal);
      if (slot) await slot;
      try {
        const { recovery } = BLOCKED_TIME;
        if (recovery) await recovery;
        return await circuit.run(() => this.sendWithin(deadline, operation, options.keyId, send));
      } finally {
        concurrency.release();
      }
    } finally {
      this.calls.leave();
      if (deadline !== options.deadline) deadline.end();
    }
  }

  private async sendWithin<Reply>(
    deadline: Deadline,
    operation: Operation,
    keyId: string,
    send: Send<Reply>,
  ): Promise<Reply> {
    const client = this.clients.current();
    const call: KmsCall = { deadline, wasSent: false };
    const sentAt = BLOCKED_TIME.now();
    const blockedBefore = BLOCKED_TIME.total;
    try {
      return await deadline.race(send(client, call), (blockedMs) =>
        timeoutError(operation, keyId, deadline.timeoutMs, call.wasSent, blockedMs),
      );
    } catch (error) {
      if (!call.wasSent || isCredentialsError(error)) this.clients.credentialsFailed(client);
      if (error instanceof KmsUnavailableError) throw error;
      const blockedMs = BLOCKED_TIME.total - blockedBefore;
      const wasBlocked = blockedMs >= LONG_BLOCK_MS && blockedMs > BLOCKED_TIME.now() - sentAt;
      if (wasBlocked && isTimeout(error)) {
        throw blockedError(error, operation, keyId, call.wasSent, blockedMs);
      }
      throw translateKmsError(error, operation, keyId, call.wasSent);
    }
  }
}

type CallOptions = Pick<KmsSignRequest, 'keyId' | 'signal' | 'deadline'>;
type Send<Reply> = (client: KmsClient, call: KmsCall) => Promise<Reply>;

/** The parameters that Sign and Verify share. */
function inputOf({ keyId, algorithm, messageType, message }: KmsSignRequest): SignCommandInput {
  return {
    KeyId: keyId,
    SigningAlgorithm: algorithm.signingAlgorithm,
    MessageType: messageType,
    Message: message,
  };
}

/** Key ids of replies appear in messages and logs, so they must not contain arbitrary characters. */
function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w:/-]{1,2048}$/.test(value);
}
