/** What one JWS algorithm is called by everybody who has a say in it: JOSE, AWS KMS and Node. */
export interface Algorithm {
  /** RFC 7518, section 3.1: the header's `alg`. */
  readonly alg: 'ES256';
  /** AWS's name of the key's kind. */
  readonly keySpec: 'ECC_NIST_P256';
  /** AWS's name of the signature's kind. */
  readonly signingAlgorithm: 'ECDSA_SHA_256';
  /** OpenSSL's name of the curve, as `KeyObject.asymmetricKeyDetails` gives it. */
  readonly namedCurve: 'prime256v1';
  /** Node's name of the hash. */
  readonly hash: 'sha256';
  /** The bytes of r, and of s: a JOSE signature has twice as many (RFC 7518, section 3.4). */
  readonly integerLength: 32;
}

export const ES256: Algorithm = {
  alg: 'ES256',
  keySpec: 'ECC_NIST_P256',
  signingAlgorithm: 'ECDSA_SHA_256',
  namedCurve: 'prime256v1',
  hash: 'sha256',
  integerLength: 32,
};

export const ALGORITHMS: readonly Algorithm[] = [ES256];
