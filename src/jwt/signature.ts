import { verify } from 'node:crypto';
import type { VerificationKey } from './jwk.js';
import { type MlDsaPublicKey, verifyMlDsa } from './ml-dsa.js';

/** What is checked: whether a JOSE signature over these bytes was made by the key. */
export interface SignatureCheck {
  readonly input: Buffer;
  readonly signature: Buffer;
  readonly key: VerificationKey;
}

/**
 * Whether a signature of the right length is valid: on this thread, or with a callback on the thread pool. For a key that the
 * runtime cannot verify with, a callback is not allowed.
 */
export function verifySignature(check: SignatureCheck): boolean;
export function verifySignature(
  check: SignatureCheck,
  callback: (error: Error | null, isValid: boolean) => void,
): void;
export function verifySignature(
  { input, signature, key: { publicKey, algorithm, verifyInput } }: SignatureCheck,
  callback?: (error: Error | null, isValid: boolean) => void,
): boolean | void {
  if (!verifyInput) return verifyMlDsa(publicKey as MlDsaPublicKey, input, signature);
  if (callback) verify(algorithm.hash, input, verifyInput, signature, callback);
  else return verify(algorithm.hash, input, verifyInput, signature);
}
