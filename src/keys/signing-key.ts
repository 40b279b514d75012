import type { VerificationKey } from '../jwt/jwk.js';

/** A key whose private half is in KMS. */
export interface SigningKey extends VerificationKey {
  readonly keyArn: string;
}

/** Whether KMS has the private half of a key: not of a JWK, or of a key of another issuer. */
export function isInKms(key: VerificationKey): key is SigningKey {
  return 'keyArn' in key;
}
