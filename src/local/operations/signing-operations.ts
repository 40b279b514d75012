import { MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import type { Signer } from '../store/key-pairs/key-pair.js';
import { checkUsable } from '../store/key-state.js';
import type { KeyStore, StoredKey } from '../store/key-store.js';
import { KmsError } from '../store/kms-error.js';
import {
  flag,
  type Input,
  optionalChoice,
  requiredBlob,
  requiredChoice,
  requiredString,
  validationError,
} from './input.js';
import { base64, type Output } from './output.js';

const MAX_MESSAGE_BYTES = 4096;
const MAX_SIGNATURE_BYTES = 6144;

export function sign(store: KeyStore, input: Input): Output {
  const { arn, algorithm, signer, signed, dryRun } = read(store, input, 'Sign');
  if (dryRun) throw wouldHaveSucceeded();
  return { KeyId: arn, Signature: base64(signer.sign(signed)), SigningAlgorithm: algorithm };
}

export function verify(store: KeyStore, input: Input): Output {
  const signature = requiredBlob(input, 'Signature', MAX_SIGNATURE_BYTES);
  const { arn, algorithm, signer, signed, dryRun } = read(store, input, 'Verify');
  if (!isValid(signature, signer, signed)) throw new KmsError('KMSInvalidSignatureException', '');
  if (dryRun) throw wouldHaveSucceeded();
  return { KeyId: arn, SignatureValid: true, SigningAlgorithm: algorithm };
}

interface Request {
  readonly arn: string;
  readonly algorithm: string;
  readonly signer: Signer;
  /** What is signed for the message: its hash, for example. */
  readonly signed: Uint8Array;
  readonly dryRun: boolean;
}

/** Reads and checks the members that Sign and Verify share. */
function read(store: KeyStore, input: Input, operation: 'Sign' | 'Verify'): Request {
  const keyId = requiredString(input, 'KeyId');
  const message = requiredBlob(input, 'Message', MAX_MESSAGE_BYTES);
  const messageType = optionalChoice(input, 'MessageType', Object.values(MessageType)) ?? 'RAW';
  const algorithm = requiredChoice(input, 'SigningAlgorithm', Object.values(SigningAlgorithmSpec));
  const dryRun = flag(input, 'DryRun');

  const key = store.find(keyId);
  const arn = store.keyArn(key.keyId);
  checkUsable(store, key);
  checkUsage(key, arn, operation);
  const signer = signerOf(key, algorithm);
  return { arn, algorithm, signer, signed: signedFor(message, messageType, algorithm, signer), dryRun };
}

function checkUsage(key: StoredKey, arn: string, operation: string): void {
  if (key.keyUsage === 'SIGN_VERIFY') return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `${arn} key usage is ${key.keyUsage} which is not valid for ${operation}.`,
  );
}

function signerOf(key: StoredKey, algorithm: string): Signer {
  const signer = key.keyPair?.signer(algorithm);
  if (signer !== undefined) return signer;
  throw new KmsError(
    'InvalidKeyUsageException',
    `Algorithm ${algorithm} is incompatible with key spec ${key.keySpec}.`,
  );
}

function signedFor(
  message: Buffer,
  messageType: MessageType,
  algorithm: string,
  { inputs }: Signer,
): Uint8Array {
  const inputFor = inputs[messageType];
  if (inputFor === undefined) {
    throw validationError(`MessageType ${messageType} is incompatible with algorithm ${algorithm}.`);
  }
  const signed = inputFor(message);
  if (signed === undefined) throw validationError(`Digest is invalid length for algorithm ${algorithm}.`);
  return signed;
}

function isValid(signature: Uint8Array, signer: Signer, signed: Uint8Array): boolean {
  try {
    return signer.verify(signed, signature);
  } catch {
    // It is not even well-formed: it is not DER, for example, or it is greater than the modulus.
    return false;
  }
}

function wouldHaveSucceeded(): KmsError {
  return new KmsError(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
  );
}
