import { constants, createHash, generateKeyPairSync, type SigningOptions, sign, verify } from 'node:crypto';
import type { MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import type { LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { digest } from '../support.js';

/** Signs and verifies messages without KMS, with the private key as PKCS #8 in PEM and the public key as SPKI in DER. */
interface Reference {
  sign(privateKey: string, message: Uint8Array): Uint8Array;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** The input `Message` of Sign and Verify for a message, for each message type that the algorithm accepts. */
type Messages = Partial<Record<MessageType, (message: Buffer, publicKey: Uint8Array) => Buffer>>;

export interface AlgorithmCase {
  readonly keySpec: LocalKmsKeySpec;
  readonly algorithm: SigningAlgorithmSpec;
  readonly messages: Messages;
  readonly references: readonly Reference[];
  /** The length of a signature in bytes; absent for ECDSA, whose length varies. */
  readonly length?: number;
}

/** Every signing algorithm with every key spec that supports it. */
export const ALGORITHM_CASES: readonly AlgorithmCase[] = [
  ecdsa('ECC_NIST_P256', 256),
  ecdsa('ECC_NIST_P384', 384),
  ecdsa('ECC_NIST_P521', 512),
  ecdsa('ECC_SECG_P256K1', 256),
  ...rsa(2048),
  ...rsa(3072),
  ...rsa(4096),
  {
    keySpec: 'ECC_NIST_EDWARDS25519',
    algorithm: 'ED25519_SHA_512',
    messages: { RAW: asIs },
    references: [byNode()],
    length: 64,
  },
  {
    keySpec: 'ECC_NIST_EDWARDS25519',
    algorithm: 'ED25519_PH_SHA_512',
    messages: { DIGEST: (message) => digest('sha512', message) },
    references: [
      {
        // Ed25519ph hashes the digest again.
        sign: (privateKey, message) => ed25519ph.sign(digest('sha512', message), lastBytes(privateKey)),
        verify: (publicKey, message, signature) =>
          ed25519ph.verify(signature, digest('sha512', message), publicKey.subarray(-32)),
      },
    ],
    length: 64,
  },
  mlDsa('ML_DSA_44', ml_dsa44),
  mlDsa('ML_DSA_65', ml_dsa65),
  mlDsa('ML_DSA_87', ml_dsa87),
];

/** Every key spec for signing. */
export const SIGNING_SPECS = [...new Set(ALGORITHM_CASES.map(({ keySpec }) => keySpec))];

function ecdsa(keySpec: LocalKmsKeySpec, bits: 256 | 384 | 512): AlgorithmCase {
  const hash = `sha${bits}`;
  return { keySpec, algorithm: `ECDSA_SHA_${bits}`, messages: hashedBy(hash), references: [byNode(hash)] };
}

function rsa(modulusLength: 2048 | 3072 | 4096): AlgorithmCase[] {
  const key = { keySpec: `RSA_${modulusLength}`, length: modulusLength / 8 } as const;
  return ([256, 384, 512] as const).flatMap((bits) => {
    const hash = `sha${bits}`;
    const messages = hashedBy(hash);
    const pss = {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    };
    return [
      { ...key, messages, algorithm: `RSASSA_PKCS1_V1_5_SHA_${bits}`, references: [byNode(hash)] },
      { ...key, messages, algorithm: `RSASSA_PSS_SHA_${bits}`, references: [byNode(hash, pss)] },
    ] as const;
  });
}

function mlDsa(keySpec: LocalKmsKeySpec, scheme: typeof ml_dsa44): AlgorithmCase {
  const { publicKey: publicKeyLength = 0, signature: length } = scheme.lengths;
  const reference: Reference = {
    sign: (privateKey, message) => scheme.sign(message, scheme.keygen(lastBytes(privateKey)).secretKey),
    verify: (publicKey, message, signature) =>
      scheme.verify(signature, message, publicKey.subarray(-publicKeyLength)),
  };
  return {
    keySpec,
    algorithm: 'ML_DSA_SHAKE_256',
    messages: {
      RAW: asIs,
      // FIPS 204, algorithm 7, line 6, for an empty context.
      EXTERNAL_MU: (message, publicKey) =>
        shake256(shake256(publicKey.subarray(-publicKeyLength)), Buffer.of(0, 0), message),
    },
    references: hasMlDsa() ? [reference, byNode()] : [reference],
    length,
  };
}

/** node:crypto, with a hash unless the algorithm includes one. */
function byNode(hash?: string, options: SigningOptions = {}): Reference {
  return {
    sign: (key, message) => sign(hash, message, { key, ...options }),
    verify: (publicKey, message, signature) => {
      const key = { key: Buffer.from(publicKey), format: 'der', type: 'spki', ...options } as const;
      return verify(hash, message, key, signature);
    },
  };
}

/** Whether node:crypto has ML-DSA: from Node 24.6 on, with OpenSSL 3.5. */
function hasMlDsa(): boolean {
  try {
    generateKeyPairSync('ml-dsa-44' as 'ed25519');
    return true;
  } catch {
    return false;
  }
}

function hashedBy(hash: string): Messages {
  return { RAW: asIs, DIGEST: (message) => digest(hash, message) };
}

function asIs(message: Buffer): Buffer {
  return message;
}

function shake256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('shake256', { outputLength: 64 }).update(Buffer.concat(parts)).digest();
}

/** The seed of an Ed25519 or ML-DSA key: PKCS #8 ends with it. */
function lastBytes(pem: string): Uint8Array {
  return Buffer.from(pem.replaceAll(/-----.*-----|\n/g, ''), 'base64').subarray(-32);
}
