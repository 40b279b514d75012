import type { RingHealth } from '../keys/ring-health.js';

/** The state of a service. */
export interface KmsJwtHealth extends RingHealth {
  /**
   * `open` while KMS does not sign: calls fail fast, except for one probe at a time. Only a call of `sign` can close it, so a
   * readiness check should not depend on it. Absent in a service that only verifies.
   */
  circuit?: 'closed' | 'open';
  /**
   * The same for `verification: 'kms'`, whose calls have their own circuit: `open` while KMS does not answer Verify, so that these
   * tokens get 503. Only a token that KMS is to verify can close it.
   */
  verifyCircuit?: 'closed' | 'open';
  /** The keys of other issuers, by their names, as far as they are known now. Absent without the option `issuers`. */
  issuers?: Record<string, RingHealth>;
  /** Present if the option `issuers` is a function: then `issuers` contains only those whose tokens have been received. */
  issuersAreFound?: true;
  /** How many tokens were withheld since the start because the reply of KMS contained no valid signature. */
  refusedSignatures: number;
}
