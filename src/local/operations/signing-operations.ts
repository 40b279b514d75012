import { createHash } from 'node:crypto';
import { MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { type CurveName, signDigest, verifyDigest } from '../store/ecdsa.js';
import { algorithmsOf, KEY_SPECS } from '../store/key-specs.js';
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
  const { arn, algorithm, curve, scalar, digest, dryRun } = read(store, input, 'Sign');
  if (dryRun) throw wouldHaveSucceeded();
  return { KeyId: arn, Signature: base64(signDigest(curve, scalar, digest)), SigningAlgorithm: algorithm };
}

export function verify(store: KeyStore, input: Input): Output {
  const signature = requiredBlob(input, 'Signature', MAX_SIGNATURE_BYTES);
  const { arn, algorithm, curve, scalar, digest, dryRun } = read(store, input, 'Verify');
  if (!verifyDigest(curve, scalar, digest, signature)) throw new KmsError('KMSInvalidSignatureException', '');
  if (dryRun) throw wouldHaveSucceeded();
  return { KeyId: arn, SignatureValid: true, SigningAlgorithm: algorithm };
}

interface Request {
  readonly arn: string;
  readonly algorithm: string;
  readonly curve: CurveName;
  readonly scalar: Uint8Array;
  readonly digest: Buffer;
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
  checkAlgorithm(key, algorithm);
  const { curve, hash, scalar } = ecdsaKey(key);
  return { arn, algorithm, curve, scalar, digest: digestOf(message, messageType, algorithm, hash), dryRun };
}

function checkUsage(key: StoredKey, arn: string, operation: string): void {
  if (key.keyUsage === 'SIGN_VERIFY') return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `${arn} key usage is ${key.keyUsage} which is not valid for ${operation}.`,
  );
}

function checkAlgorithm(key: StoredKey, algorithm: string): void {
  if (algorithmsOf(key.keySpec, key.keyUsage).includes(algorithm)) return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `Algorithm ${algorithm} is incompatible with key spec ${key.keySpec}.`,
  );
}

function ecdsaKey(key: StoredKey): { curve: CurveName; hash: string; scalar: Uint8Array } {
  const { ecdsa } = KEY_SPECS[key.keySpec];
  const d = key.privateKey?.export({ format: 'jwk' }).d;
  if (ecdsa === undefined || d === undefined) {
    throw new KmsError('UnsupportedOperationException', `LocalKms does not sign with ${key.keySpec}.`);
  }
  return { ...ecdsa, scalar: Buffer.from(d, 'base64url') };
}

function digestOf(message: Buffer, messageType: string, algorithm: string, hash: string): Buffer {
  const hashed = createHash(hash).update(message).digest();
  if (messageType === 'RAW') return hashed;
  if (messageType !== 'DIGEST') {
    throw validationError(`MessageType ${messageType} is incompatible with algorithm ${algorithm}.`);
  }
  if (message.length !== hashed.length) {
    throw validationError(`Digest is invalid length for algorithm ${algorithm}.`);
  }
  return message;
}

function wouldHaveSucceeded(): KmsError {
  return new KmsError(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
  );
}
