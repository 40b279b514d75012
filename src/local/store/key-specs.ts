import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { CurveName } from './ecdsa.js';

/**
 * A key spec that LocalKms supports: the `KeySpec` of CreateKey. Only the ECC specs can sign.
 *
 * @example
 * const keySpec: LocalKmsKeySpec = 'ECC_NIST_P384';
 * const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec }] });
 */
export type LocalKmsKeySpec =
  'ECC_NIST_P256' | 'ECC_NIST_P384' | 'ECC_NIST_P521' | 'ECC_SECG_P256K1' | 'RSA_2048' | 'SYMMETRIC_DEFAULT';

/**
 * A key usage that LocalKms supports: the `KeyUsage` of CreateKey.
 *
 * @example
 * const keyUsage: LocalKmsKeyUsage = 'ENCRYPT_DECRYPT';
 * const localKms = new LocalKms({ keys: [{ keySpec: 'RSA_2048', keyUsage }] });
 */
export type LocalKmsKeyUsage = 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT';

interface KeySpecRow {
  /** The algorithms by key usage; the first usage is the default. */
  readonly algorithms: Readonly<Partial<Record<LocalKmsKeyUsage, readonly string[]>>>;
  /** Present if the key signs with ECDSA. */
  readonly ecdsa?: { readonly curve: CurveName; readonly hash: 'sha256' | 'sha384' | 'sha512' };
  /** Present if the key is a pair. Symmetric keys are never used, so they need no key material. */
  readonly generate?: () => KeyObject;
}

/** The properties of each key spec, one row each. */
export const KEY_SPECS: Readonly<Record<LocalKmsKeySpec, KeySpecRow>> = {
  ECC_NIST_P256: ecc('prime256v1', 'sha256', 'ECDSA_SHA_256'),
  ECC_NIST_P384: ecc('secp384r1', 'sha384', 'ECDSA_SHA_384'),
  ECC_NIST_P521: ecc('secp521r1', 'sha512', 'ECDSA_SHA_512'),
  ECC_SECG_P256K1: ecc('secp256k1', 'sha256', 'ECDSA_SHA_256'),
  RSA_2048: {
    algorithms: {
      SIGN_VERIFY: [
        'RSASSA_PKCS1_V1_5_SHA_256',
        'RSASSA_PKCS1_V1_5_SHA_384',
        'RSASSA_PKCS1_V1_5_SHA_512',
        'RSASSA_PSS_SHA_256',
        'RSASSA_PSS_SHA_384',
        'RSASSA_PSS_SHA_512',
      ],
      ENCRYPT_DECRYPT: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
    },
    generate: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  },
  SYMMETRIC_DEFAULT: { algorithms: { ENCRYPT_DECRYPT: ['SYMMETRIC_DEFAULT'] } },
};

/** The names of the key specs. */
export const KEY_SPEC_NAMES = Object.keys(KEY_SPECS) as LocalKmsKeySpec[];

/** The usages that a key spec allows, the default first. */
export function usagesOf(keySpec: LocalKmsKeySpec): [LocalKmsKeyUsage, ...LocalKmsKeyUsage[]] {
  return Object.keys(KEY_SPECS[keySpec].algorithms) as [LocalKmsKeyUsage, ...LocalKmsKeyUsage[]];
}

/** The algorithms of a key spec for one usage. */
export function algorithmsOf(keySpec: LocalKmsKeySpec, keyUsage: LocalKmsKeyUsage): readonly string[] {
  return KEY_SPECS[keySpec].algorithms[keyUsage] ?? [];
}

function ecc(curve: CurveName, hash: 'sha256' | 'sha384' | 'sha512', algorithm: string): KeySpecRow {
  return {
    algorithms: { SIGN_VERIFY: [algorithm] },
    ecdsa: { curve, hash },
    generate: () => generateKeyPairSync('ec', { namedCurve: curve }).privateKey,
  };
}
