import type { KeyObject } from 'node:crypto';
import { constants } from 'node:crypto';
import { hasSmallOrder } from './ed25519.js';
import { MlDsaPublicKey } from './ml-dsa.js';

/**
 * A JWS algorithm that a key in KMS can have (RFC 7518, section 3.1; RFC 8037; RFC 8812; RFC 9864; RFC 9964). `Ed25519` and
 * `EdDSA` are two names of the same algorithm: the second is the older one.
 */
export type AlgorithmName =
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'ES256K'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'Ed25519'
  | 'EdDSA'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87';

// Not the types of the SDK: a service that only verifies compiles without it.
type KeySpec =
  | `ECC_NIST_P${256 | 384 | 521}`
  | 'ECC_SECG_P256K1'
  | 'ECC_NIST_EDWARDS25519'
  | `RSA_${2048 | 3072 | 4096}`
  | `ML_DSA_${44 | 65 | 87}`;
type SigningAlgorithm =
  | `ECDSA_SHA_${256 | 384 | 512}`
  | `RSASSA_${'PKCS1_V1_5' | 'PSS'}_SHA_${256 | 384 | 512}`
  | 'ED25519_SHA_512'
  | 'ML_DSA_SHAKE_256';

/** How a message is sent to AWS Sign. `EXTERNAL_MU`: as the μ of FIPS 204, which has 64 bytes. */
export type MessageType = 'DIGEST' | 'RAW' | 'EXTERNAL_MU';

/** A public key. If the runtime has no ML-DSA, such a key has a type of this library. */
export type PublicKey = KeyObject | MlDsaPublicKey;

/** One JWS algorithm, with its parameters in JOSE, AWS KMS and Node. */
export interface Algorithm {
  /** The header's `alg`. */
  readonly alg: AlgorithmName;
  /** AWS's names of the types of key. */
  readonly keySpecs: readonly [KeySpec, ...KeySpec[]];
  /** AWS's name of the algorithm. */
  readonly signingAlgorithm: SigningAlgorithm;
  /** How a message is sent to AWS Sign, unless it is sent `RAW`. */
  readonly messageType: MessageType;
  /** Node's name of the hash of the message; undefined if the algorithm includes the hashing. */
  readonly hash: string | undefined;
  /** The length of r, and of s, in bytes, if KMS returns them in DER: a JOSE signature has twice as many (RFC 7518, section 3.4). */
  readonly integerLength?: number;
  /** What `crypto.verify` needs in addition to the key. */
  readonly verifyOptions: {
    readonly dsaEncoding?: 'ieee-p1363';
    readonly padding?: number;
    readonly saltLength?: number;
  };
  /** Whether a key can have this algorithm. */
  readonly fits: (key: PublicKey) => boolean;
  /** The length of a JOSE signature by that key, in bytes. */
  readonly signatureLength: (key: PublicKey) => number;
}

/** The longest modulus, in bits: verifying with a longer one takes too long. AWS has up to 4,096. */
const MAX_MODULUS_BITS = 16_384;

export const ES256 = ecdsa('ES256', 'ECC_NIST_P256', 'ECDSA_SHA_256', 'prime256v1', 'sha256', 32);

/** A new algorithm is a row here: options, messages and discovery documents take their names from it. */
export const ALGORITHMS: readonly Algorithm[] = [
  ES256,
  ecdsa('ES384', 'ECC_NIST_P384', 'ECDSA_SHA_384', 'secp384r1', 'sha384', 48),
  ecdsa('ES512', 'ECC_NIST_P521', 'ECDSA_SHA_512', 'secp521r1', 'sha512', 66),
  ecdsa('ES256K', 'ECC_SECG_P256K1', 'ECDSA_SHA_256', 'secp256k1', 'sha256', 32),
  rsaPkcs1('RS256', 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256'),
  rsaPkcs1('RS384', 'RSASSA_PKCS1_V1_5_SHA_384', 'sha384'),
  rsaPkcs1('RS512', 'RSASSA_PKCS1_V1_5_SHA_512', 'sha512'),
  rsaPss('PS256', 'RSASSA_PSS_SHA_256', 'sha256', 32),
  rsaPss('PS384', 'RSASSA_PSS_SHA_384', 'sha384', 48),
  rsaPss('PS512', 'RSASSA_PSS_SHA_512', 'sha512', 64),
  ed25519('Ed25519'),
  ed25519('EdDSA'),
  mlDsa('ML-DSA-44', 'ML_DSA_44', 2420),
  mlDsa('ML-DSA-65', 'ML_DSA_65', 3309),
  mlDsa('ML-DSA-87', 'ML_DSA_87', 4627),
];

export const ALGORITHM_NAMES = ALGORITHMS.map(({ alg }) => alg);

/** The algorithms of a service whose options name none. */
export const DEFAULT_ALGORITHMS: readonly Algorithm[] = [ES256];

export function algorithmNamed(name: unknown): Algorithm | undefined {
  return ALGORITHMS.find(({ alg }) => alg === name);
}

/**
 * The one of these algorithms that a key has. An RSA key fits six, and only the options can say which one is meant.
 *
 * @param alg the `alg` in the key set, if there is one
 * @returns undefined if none fits, or more than one
 */
export function algorithmFor(
  key: PublicKey,
  algorithms: readonly Algorithm[],
  alg?: unknown,
): Algorithm | undefined {
  const fitting = algorithms.filter((each) => each.fits(key) && (alg === undefined || alg === each.alg));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** Two of these algorithms that fit the same key; undefined if each key fits at most one. */
export function ambiguousPair(algorithms: readonly Algorithm[]): [Algorithm, Algorithm] | undefined {
  for (const [index, one] of algorithms.entries()) {
    const other = algorithms.slice(index + 1).find(({ keySpecs }) => keySpecs[0] === one.keySpecs[0]);
    if (other) return [one, other];
  }
  return undefined;
}

/** For messages, such as `ES256 or ES384`. */
export function namesOf(algorithms: readonly Algorithm[]): string {
  return algorithms.map(({ alg }) => alg).join(' or ');
}

/** For messages, such as `ECC_NIST_P256 or ECC_NIST_P384`. */
export function keySpecsOf(algorithms: readonly Algorithm[]): string {
  return [...new Set(algorithms.flatMap(({ keySpecs }) => keySpecs))].join(' or ');
}

function ecdsa(
  alg: AlgorithmName,
  keySpec: KeySpec,
  signingAlgorithm: SigningAlgorithm,
  namedCurve: string,
  hash: string,
  integerLength: number,
): Algorithm {
  return {
    alg,
    keySpecs: [keySpec],
    signingAlgorithm,
    messageType: 'DIGEST',
    hash,
    integerLength,
    verifyOptions: { dsaEncoding: 'ieee-p1363' },
    fits: (key) => isOfType(key, 'ec') && key.asymmetricKeyDetails?.namedCurve === namedCurve,
    signatureLength: () => 2 * integerLength,
  };
}

function rsaPkcs1(alg: AlgorithmName, signingAlgorithm: SigningAlgorithm, hash: string): Algorithm {
  return rsa({ alg, signingAlgorithm, hash, verifyOptions: { padding: constants.RSA_PKCS1_PADDING } });
}

/** RFC 7518, section 3.5: the salt is as long as the hash. */
function rsaPss(
  alg: AlgorithmName,
  signingAlgorithm: SigningAlgorithm,
  hash: string,
  saltLength: number,
): Algorithm {
  const verifyOptions = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  return rsa({ alg, signingAlgorithm, hash, verifyOptions });
}

function rsa(
  row: Pick<Algorithm, 'alg' | 'signingAlgorithm' | 'verifyOptions'> & { hash: string },
): Algorithm {
  return {
    ...row,
    keySpecs: ['RSA_2048', 'RSA_3072', 'RSA_4096'],
    messageType: 'DIGEST',
    fits: isSafeRsaKey,
    signatureLength: (key) => Math.ceil(modulusBits(key) / 8),
  };
}

function ed25519(alg: AlgorithmName): Algorithm {
  return {
    alg,
    keySpecs: ['ECC_NIST_EDWARDS25519'],
    signingAlgorithm: 'ED25519_SHA_512',
    messageType: 'RAW',
    hash: undefined,
    verifyOptions: {},
    fits: (key) => isOfType(key, 'ed25519') && !hasSmallOrder(key),
    signatureLength: () => 64,
  };
}

function mlDsa(
  alg: AlgorithmName & `ML-DSA-${number}`,
  keySpec: KeySpec,
  signatureLength: number,
): Algorithm {
  return {
    alg,
    keySpecs: [keySpec],
    signingAlgorithm: 'ML_DSA_SHAKE_256',
    messageType: 'EXTERNAL_MU',
    hash: undefined,
    verifyOptions: {},
    fits: (key) =>
      key instanceof MlDsaPublicKey ? key.parameterSet === alg : isOfType(key, alg.toLowerCase()),
    signatureLength: () => signatureLength,
  };
}

function isOfType(key: PublicKey, type: string): key is KeyObject {
  return !(key instanceof MlDsaPublicKey) && (key.asymmetricKeyType as string) === type;
}

/** RFC 7518, section 3.3: at least 2,048 bits. With an exponent of 1, every signature would be valid. */
function isSafeRsaKey(key: PublicKey): boolean {
  if (!isOfType(key, 'rsa')) return false;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const isExponentSafe = publicExponent >= 3n && publicExponent % 2n === 1n && publicExponent < 2n ** 33n;
  return modulusLength >= 2048 && modulusLength <= MAX_MODULUS_BITS && isExponentSafe;
}

function modulusBits(key: PublicKey): number {
  return key instanceof MlDsaPublicKey ? 0 : (key.asymmetricKeyDetails?.modulusLength ?? 0);
}
