import type { KeyObject } from 'node:crypto';
import type { Algorithm } from '../jwt/algorithms.js';
import type { JsonWebKey } from '../jwt/jwk.js';

/** A public key that tokens are verified by. */
export interface VerificationKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly publicKey: KeyObject;
  readonly jwk: Readonly<JsonWebKey>;
}

/** A key whose private half is in KMS. */
export interface SigningKey extends VerificationKey {
  readonly keyArn: string;
}
