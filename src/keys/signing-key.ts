import type { VerificationKey } from '../jwt/jwk.js';

/** A key whose private half is in KMS. */
export interface SigningKey extends VerificationKey {
  readonly keyArn: string;
}
