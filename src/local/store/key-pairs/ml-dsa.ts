import { createHash, randomBytes } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { BIT_STRING, der, INTEGER, objectIdentifier, OCTET_STRING, SEQUENCE } from './der.js';
import { keyPairType, type KeyPairType, ofLength, type Signer } from './key-pair.js';
import { fromPem, toPem } from './pem.js';

/** The parameter sets of FIPS 204, with their object identifiers (RFC 9881, section 2). */
const PARAMETER_SETS = {
  'ML-DSA-44': { scheme: ml_dsa44, oid: objectIdentifier('2.16.840.1.101.3.4.3.17') },
  'ML-DSA-65': { scheme: ml_dsa65, oid: objectIdentifier('2.16.840.1.101.3.4.3.18') },
  'ML-DSA-87': { scheme: ml_dsa87, oid: objectIdentifier('2.16.840.1.101.3.4.3.19') },
};

type ParameterSet = 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87';

const SEED_LENGTH = 32;

/** Node 20 has no KeyObject for ML-DSA. The seed is the private key in its short form: the rest follows from it. */
interface MlDsaKey {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** ML-DSA key pairs with one of the parameter sets. */
export function mlDsaKeyPairs(parameterSet: ParameterSet): KeyPairType {
  const { scheme, oid } = PARAMETER_SETS[parameterSet];
  const fromSeed = (seed: Uint8Array): MlDsaKey => ({ seed, ...scheme.keygen(seed) });
  return keyPairType<MlDsaKey>({
    algorithms: { ML_DSA_SHAKE_256: (key) => mlDsa(parameterSet, key) },
    generate: () => fromSeed(randomBytes(SEED_LENGTH)),
    read: (pem) => {
      const bytes = fromPem(pem);
      const seed = bytes.subarray(-SEED_LENGTH);
      return bytes.equals(pkcs8(oid, seed)) ? fromSeed(seed) : undefined;
    },
    spki: ({ publicKey }) => der(SEQUENCE, der(SEQUENCE, oid), der(BIT_STRING, Buffer.of(0), publicKey)),
    pem: ({ seed }) => toPem(pkcs8(oid, seed)),
  });
}

function mlDsa(parameterSet: ParameterSet, { publicKey, secretKey }: MlDsaKey): Signer {
  const { internal } = PARAMETER_SETS[parameterSet].scheme;
  return {
    inputs: { RAW: (message) => representativeOf(message, publicKey), EXTERNAL_MU: ofLength(64) },
    sign: (mu) => internal.sign(mu, secretKey, { externalMu: true }),
    verify: (mu, signature) => internal.verify(signature, mu, publicKey, { externalMu: true }),
  };
}

/** μ, the message representative that ML-DSA signs (FIPS 204, algorithms 2 and 7), with an empty context. */
function representativeOf(message: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return shake256(shake256(publicKey), Buffer.of(0, 0), message);
}

function shake256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('shake256', { outputLength: 64 }).update(Buffer.concat(parts)).digest();
}

/** PKCS #8 with the seed alone (RFC 9881, section 6). */
function pkcs8(oid: Uint8Array, seed: Uint8Array): Buffer {
  const SEED = 0x80;
  return der(SEQUENCE, der(INTEGER, Buffer.of(0)), der(SEQUENCE, oid), der(OCTET_STRING, der(SEED, seed)));
}
