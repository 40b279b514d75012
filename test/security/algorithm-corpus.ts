import type { AlgorithmName } from 'nestjs-kms-jwt';
import type { AlgorithmCase } from './algorithm-keys.js';
import { ecdsa } from './cases/each-algorithm/ecdsa.js';
import { ed25519 } from './cases/each-algorithm/ed25519.js';
import { everyAlgorithm } from './cases/each-algorithm/every.js';
import { mlDsa } from './cases/each-algorithm/ml-dsa.js';
import { rsa } from './cases/each-algorithm/rsa.js';
import { rsaEncodings } from './cases/each-algorithm/rsa-encodings.js';

export { validFor } from './cases/each-algorithm/valid.js';

const OWN: Readonly<Record<AlgorithmName, readonly AlgorithmCase[]>> = {
  ES256: ecdsa('ES256'),
  ES384: ecdsa('ES384'),
  ES512: ecdsa('ES512'),
  ES256K: ecdsa('ES256K'),
  RS256: [...rsa('RS256'), ...rsaEncodings('RS256')],
  RS384: [...rsa('RS384'), ...rsaEncodings('RS384')],
  RS512: [...rsa('RS512'), ...rsaEncodings('RS512')],
  PS256: [...rsa('PS256'), ...rsaEncodings('PS256')],
  PS384: [...rsa('PS384'), ...rsaEncodings('PS384')],
  PS512: [...rsa('PS512'), ...rsaEncodings('PS512')],
  Ed25519: ed25519,
  EdDSA: ed25519,
  'ML-DSA-44': mlDsa('ML-DSA-44'),
  'ML-DSA-65': mlDsa('ML-DSA-65'),
  'ML-DSA-87': mlDsa('ML-DSA-87'),
};

/** Tokens with invalid signatures, which a verifier with keys for this algorithm must refuse. */
export function hostileFor(alg: AlgorithmName): readonly AlgorithmCase[] {
  return [...everyAlgorithm(alg), ...OWN[alg]];
}
