import { p256, p384, p521 } from '@noble/curves/nist';
import { secp256k1 } from '@noble/curves/secp256k1';

/** OpenSSL's name of a curve, as `KeyObject.asymmetricKeyDetails` gives it. */
export type CurveName = 'prime256v1' | 'secp384r1' | 'secp521r1' | 'secp256k1';

// node:crypto cannot sign a digest with an EC key: it always hashes first. KMS signs digests.
const CURVES = {
  prime256v1: p256,
  secp384r1: p384,
  secp521r1: p521,
  secp256k1,
} satisfies Record<CurveName, unknown>;

// Neither KMS nor JOSE requires a low s.
const ECDSA_OPTIONS = { prehash: false, lowS: false } as const;

/** Signs a digest with ECDSA, in DER. As with KMS, the signature is different each time. */
export function signDigest(curve: CurveName, privateKey: Uint8Array, digest: Uint8Array): Uint8Array {
  return CURVES[curve].sign(digest, privateKey, { ...ECDSA_OPTIONS, extraEntropy: true }).toBytes('der');
}

/** Whether `signature`, in strict DER, is a valid ECDSA signature of `digest` by `privateKey`. */
export function verifyDigest(
  curve: CurveName,
  privateKey: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const publicKey = CURVES[curve].getPublicKey(privateKey);
  try {
    return CURVES[curve].verify(signature, digest, publicKey, { ...ECDSA_OPTIONS, format: 'der' });
  } catch {
    // verify throws if the signature is not DER.
    return false;
  }
}
