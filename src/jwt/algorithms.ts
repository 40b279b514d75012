// Types only: nothing of the SDK is loaded.
import type { KeySpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms';

/** The names of one JWS algorithm in JOSE, AWS KMS, OpenSSL and Node. */
export interface Algorithm {
  /** RFC 7518, section 3.1: the header's `alg`. */
  readonly alg: string;
  /** AWS's name of the type of key. */
  readonly keySpec: KeySpec;
  /** AWS's name of the algorithm. */
  readonly signingAlgorithm: SigningAlgorithmSpec;
  /** OpenSSL's name of the curve, as `KeyObject.asymmetricKeyDetails` gives it. */
  readonly namedCurve: string;
  /** Node's name of the hash. */
  readonly hash: string;
  /** The length of r, and of s, in bytes: a JOSE signature has twice as many (RFC 7518, section 3.4). */
  readonly integerLength: number;
}

export const ES256: Algorithm = {
  alg: 'ES256',
  keySpec: 'ECC_NIST_P256',
  signingAlgorithm: 'ECDSA_SHA_256',
  namedCurve: 'prime256v1',
  hash: 'sha256',
  integerLength: 32,
};

/** A new algorithm is a row here: messages, key sets and discovery documents take their names from it. */
export const ALGORITHMS: readonly [Algorithm, ...Algorithm[]] = [ES256];

/** For messages, such as `ES256 or ES384`. */
export const ALGORITHM_NAMES = ALGORITHMS.map(({ alg }) => alg).join(' or ');
/** For messages, such as `ECC_NIST_P256 or ECC_NIST_P384`. */
export const KEY_SPECS = ALGORITHMS.map(({ keySpec }) => keySpec).join(' or ');
