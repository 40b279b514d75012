import type { Deadline } from '../async/deadline.js';
import type { Algorithm, MessageType } from '../jwt/algorithms.js';

/**
 * The calls to AWS KMS that this library makes. Each call has a time limit, which includes the wait for a free slot and the
 * SDK's retries. Errors of the SDK are translated into the errors of this library.
 */
export interface KmsGateway {
  /**
   * `open` while Sign is unavailable: its calls fail fast, except for one probe at a time. With several Regions, `open` when the
   * circuits of all of them are.
   */
  readonly circuit: 'closed' | 'open';
  /** The same for Verify, which has its own circuit. */
  readonly verifyCircuit: 'closed' | 'open';

  /**
   * Calls AWS GetPublicKey.
   *
   * @param keyId a key id, key ARN, alias name or alias ARN
   * @throws KmsKeyError, KmsAccessDeniedError, KmsUnavailableError, KmsJwtOptionsError
   */
  getPublicKey(keyId: string): Promise<KmsPublicKey>;

  /**
   * Calls AWS Sign, once for each Region that has to be tried. The signature is not verified.
   *
   * @throws KmsKeyError, KmsAccessDeniedError, KmsUnavailableError, KmsSignatureError, KmsJwtOptionsError; the reason of
   * `signal` if it aborts in the queue
   */
  sign(request: KmsSignRequest): Promise<KmsSignature>;

  /**
   * Calls AWS Verify, once for each Region that has to be tried. Resolves if KMS says that the signature is valid.
   *
   * @throws TokenSignatureError if KMS says that it is not; TokenKeyDisabledError if the key is disabled or pending deletion;
   * KmsKeyError, KmsAccessDeniedError, KmsUnavailableError, KmsJwtOptionsError
   */
  verify(request: KmsVerifyRequest): Promise<void>;

  /**
   * Refuses new calls, waits until those in flight end or time out, then destroys the clients that this library has
   * created.
   */
  close(): Promise<void>;
}

/** The reply to GetPublicKey. */
export interface KmsPublicKey {
  /** The ARN of the key, even if the request named an alias. Some emulators return the bare key id. */
  keyArn: string;
  /** The public key as DER SubjectPublicKeyInfo. */
  spki: Uint8Array;
  /** AWS's name of the kind of key, such as `ECC_NIST_P256`. */
  keySpec: string | undefined;
  /** AWS's name of the permitted use, such as `SIGN_VERIFY`. */
  keyUsage: string | undefined;
}

/** The parameters of Sign. */
export interface KmsSignRequest {
  /** A key id, key ARN, alias name or alias ARN. */
  keyId: string;
  algorithm: Algorithm;
  /** `DIGEST`: the message is a hash. `RAW`: KMS hashes the message, of at most 4,096 bytes. `EXTERNAL_MU`: it is the μ of FIPS 204. */
  messageType: MessageType;
  message: Uint8Array;
  /** Removes the call from the queue. A call in flight continues until it ends or times out. */
  signal?: AbortSignal | undefined;
  /** The time limit. Default: that of the gateway, from now on. */
  deadline?: Deadline | undefined;
}

/** The parameters of Verify. `keyId` is that of a key, not an alias: the answer must be about the same key. */
export interface KmsVerifyRequest extends KmsSignRequest {
  /** In the form in which Sign returns it. */
  signature: Uint8Array;
}

/** The reply to Sign. */
export interface KmsSignature {
  /** The ARN of the key that signed. Some emulators return the bare key id. */
  keyArn: string;
  /** The signature in the encoding of KMS (for ECDSA, ASN.1 DER), not checked. */
  signature: Uint8Array;
}
