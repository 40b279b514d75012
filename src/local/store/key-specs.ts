import { ecdsaKeyPairs } from './key-pairs/ecdsa.js';
import { ED25519_KEY_PAIRS } from './key-pairs/eddsa.js';
import type { KeyPairType } from './key-pairs/key-pair.js';
import { mlDsaKeyPairs } from './key-pairs/ml-dsa.js';
import { rsaKeyPairs } from './key-pairs/rsa.js';

/**
 * A key spec that LocalKms supports: the `KeySpec` of CreateKey. All specs can sign, except for `SYMMETRIC_DEFAULT`; each with
 * the algorithms that AWS KMS has for it:
 *
 * - `ECC_NIST_P256`, `ECC_NIST_P384`, `ECC_NIST_P521`, `ECC_SECG_P256K1`: ECDSA with the hash of the curve
 * - `ECC_NIST_EDWARDS25519`: `ED25519_SHA_512` for RAW messages, `ED25519_PH_SHA_512` for digests
 * - `RSA_2048`, `RSA_3072`, `RSA_4096`: PKCS #1 v1.5 and PSS with SHA-256, SHA-384 or SHA-512
 * - `ML_DSA_44`, `ML_DSA_65`, `ML_DSA_87`: `ML_DSA_SHAKE_256` for RAW messages and `EXTERNAL_MU`
 *
 * @example
 * ```ts
 * const keySpec: LocalKmsKeySpec = 'ECC_NIST_P384';
 * const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec }] });
 * ```
 */
export type LocalKmsKeySpec =
  | 'ECC_NIST_P256'
  | 'ECC_NIST_P384'
  | 'ECC_NIST_P521'
  | 'ECC_SECG_P256K1'
  | 'ECC_NIST_EDWARDS25519'
  | 'RSA_2048'
  | 'RSA_3072'
  | 'RSA_4096'
  | 'ML_DSA_44'
  | 'ML_DSA_65'
  | 'ML_DSA_87'
  | 'SYMMETRIC_DEFAULT';

/**
 * A key usage that LocalKms supports: the `KeyUsage` of CreateKey.
 *
 * @example
 * ```ts
 * const keyUsage: LocalKmsKeyUsage = 'ENCRYPT_DECRYPT';
 * const localKms = new LocalKms({ keys: [{ keySpec: 'RSA_2048', keyUsage }] });
 * ```
 */
export type LocalKmsKeyUsage = 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT';

interface KeySpecRow {
  /** The algorithms by key usage; the first usage is the default. */
  readonly algorithms: Readonly<Partial<Record<LocalKmsKeyUsage, readonly string[]>>>;
  /** Present if the key is a pair. Symmetric keys are never used, so they need no key material. */
  readonly keyPairs?: KeyPairType;
}

/** The properties of each key spec, one row each. */
export const KEY_SPECS: Readonly<Record<LocalKmsKeySpec, KeySpecRow>> = {
  ECC_NIST_P256: signing(ecdsaKeyPairs('prime256v1', 'sha256', 'ECDSA_SHA_256')),
  ECC_NIST_P384: signing(ecdsaKeyPairs('secp384r1', 'sha384', 'ECDSA_SHA_384')),
  ECC_NIST_P521: signing(ecdsaKeyPairs('secp521r1', 'sha512', 'ECDSA_SHA_512')),
  ECC_SECG_P256K1: signing(ecdsaKeyPairs('secp256k1', 'sha256', 'ECDSA_SHA_256')),
  ECC_NIST_EDWARDS25519: signing(ED25519_KEY_PAIRS),
  RSA_2048: signingOrEncrypting(rsaKeyPairs(2048)),
  RSA_3072: signingOrEncrypting(rsaKeyPairs(3072)),
  RSA_4096: signingOrEncrypting(rsaKeyPairs(4096)),
  ML_DSA_44: signing(mlDsaKeyPairs('ML-DSA-44')),
  ML_DSA_65: signing(mlDsaKeyPairs('ML-DSA-65')),
  ML_DSA_87: signing(mlDsaKeyPairs('ML-DSA-87')),
  SYMMETRIC_DEFAULT: { algorithms: { ENCRYPT_DECRYPT: ['SYMMETRIC_DEFAULT'] } },
};

export const KEY_SPEC_NAMES = Object.keys(KEY_SPECS) as LocalKmsKeySpec[];

/** The usages that a key spec allows, the default first. */
export function usagesOf(keySpec: LocalKmsKeySpec): [LocalKmsKeyUsage, ...LocalKmsKeyUsage[]] {
  return Object.keys(KEY_SPECS[keySpec].algorithms) as [LocalKmsKeyUsage, ...LocalKmsKeyUsage[]];
}

export function algorithmsOf(keySpec: LocalKmsKeySpec, keyUsage: LocalKmsKeyUsage): readonly string[] {
  return KEY_SPECS[keySpec].algorithms[keyUsage] ?? [];
}

function signing(keyPairs: KeyPairType): KeySpecRow {
  return { algorithms: { SIGN_VERIFY: keyPairs.signingAlgorithms }, keyPairs };
}

function signingOrEncrypting(keyPairs: KeyPairType): KeySpecRow {
  return {
    algorithms: {
      SIGN_VERIFY: keyPairs.signingAlgorithms,
      ENCRYPT_DECRYPT: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
    },
    keyPairs,
  };
}
