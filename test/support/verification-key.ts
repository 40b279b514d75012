import { ES256 } from '../../src/jwt/algorithms.js';
import { newVerificationKey, type VerificationKey } from '../../src/jwt/jwk.js';
import { newKeyPair } from './forge.js';

/** A key on P-256 that verifies tokens. */
export function verificationKey(kid: string, publicKey = newKeyPair().publicKey): VerificationKey {
  return newVerificationKey(publicKey, ES256, () => kid);
}
