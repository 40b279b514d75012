import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { KmsSignatureError, KmsUnavailableError } from '../errors.js';
import type { Algorithm } from '../jwt/algorithms.js';
import { withDeadline } from '../with-deadline.js';
import { translateKmsError } from './kms-errors.js';

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

/**
 * The only room that talks to AWS. One deadline stands over each call and the SDK's retries within it; what goes wrong
 * is told in this library's errors.
 */
export class KmsGateway {
  /**
   * @param isOwn whether `close` destroys the client
   * @param timeout of one call, in milliseconds
   */
  constructor(
    private readonly client: KMSClient,
    private readonly isOwn: boolean,
    private readonly timeout: number,
  ) {}

  /** AWS GetPublicKey. @throws KmsKeyError, KmsAccessDeniedError, KmsUnavailableError, KmsJwtOptionsError */
  async getPublicKey(keyId: string): Promise<KmsPublicKey> {
    const answer = await this.call('GetPublicKey', keyId, undefined, (abortSignal) =>
      this.client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal }),
    );
    if (!answer.KeyId || !answer.PublicKey) {
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
    if (!answer.KeyId || !answer.Signature) {
      throw new KmsSignatureError(`KMS answered Sign with ${keyId} without a signature`);
    }
    return { keyArn: answer.KeyId, der: answer.Signature };
  }

  close(): void {
    if (this.isOwn) this.client.destroy();
  }

  private call<Answer>(
    operation: string,
    keyId: string,
    signal: AbortSignal | undefined,
    send: (abortSignal: AbortSignal) => Promise<Answer>,
    timeout = this.timeout,
  ): Promise<Answer> {
    const late = () =>
      new KmsUnavailableError(
        'timeout',
        `KMS did not answer ${operation} with ${keyId} within ${timeout} ms`,
      );
    const answer = async (abortSignal: AbortSignal) => {
      try {
        return await send(abortSignal);
      } catch (error) {
        throw translateKmsError(error, operation, keyId);
      }
    };
    return withDeadline(answer, timeout, late, signal);
  }
}
