import type { VerificationKey } from '../jwt/jwk.js';

/** A key whose private half is in KMS. */
export interface SigningKey extends VerificationKey {
  readonly keyArn: string;
}

/** Whether the private half of a key is in KMS: that of a JWK, or of a key of another issuer, is not. */
export function isInKms(key: VerificationKey): key is SigningKey {
  return 'keyArn' in key;
}
