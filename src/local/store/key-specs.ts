import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { CurveName } from './ecdsa.js';

/** The key specs LocalKms has, by the names of AWS KMS (CreateKey, `KeySpec`). */
export type LocalKmsKeySpec =
  'ECC_NIST_P256' | 'ECC_NIST_P384' | 'ECC_NIST_P521' | 'ECC_SECG_P256K1' | 'RSA_2048' | 'SYMMETRIC_DEFAULT';

/** The key usages LocalKms has, by the names of AWS KMS (CreateKey, `KeyUsage`). */
export type LocalKmsKeyUsage = 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT';

interface KeySpecRow {
  /** The algorithms of the keys, by what the keys may be used for; the first usage is the usual one. */
  readonly algorithms: Readonly<Partial<Record<LocalKmsKeyUsage, readonly string[]>>>;
  /** Where the key signs with ECDSA. */
  readonly ecdsa?: { readonly curve: CurveName; readonly hash: 'sha256' | 'sha384' | 'sha512' };
  /** Where the key is a pair; a symmetric key is never used here, so that it needs no material. */
  readonly generate?: () => KeyObject;
}

/** What there is to know of each key spec: one row each. */
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

/** What keys of a spec may be used for, the usual first. */
export function usagesOf(keySpec: LocalKmsKeySpec): [LocalKmsKeyUsage, ...LocalKmsKeyUsage[]] {
  return Object.keys(KEY_SPECS[keySpec].algorithms) as [LocalKmsKeyUsage, ...LocalKmsKeyUsage[]];
}

/** The algorithms of a key. */
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
