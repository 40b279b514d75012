import { ES256 } from '../../src/jwt/algorithms.js';
import { newVerificationKey, type VerificationKey } from '../../src/jwt/jwk.js';
import { newKeyPair } from './forge.js';

/** A P-256 key that verifies tokens. */
export function verificationKey(kid: string, publicKey = newKeyPair().publicKey): VerificationKey {
  return newVerificationKey(publicKey, ES256, () => kid);
}
