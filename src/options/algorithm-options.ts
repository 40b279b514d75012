import { KmsJwtOptionsError } from '../errors/errors.js';
import {
  type Algorithm,
  algorithmNamed,
  ambiguousPair,
  DEFAULT_ALGORITHMS,
  namesOf,
} from '../jwt/algorithms.js';
import { keysIn, MAX_KEYS, verificationKeyFrom } from '../jwt/jwk.js';
import type { KmsJwtModuleOptions } from './kms-jwt.options.js';
import type { RotationOptions } from './rotation.options.js';

/** @throws KmsJwtOptionsError if two of the algorithms fit the same key */
export function toAlgorithms(
  given: KmsJwtModuleOptions['algorithm'],
  path = 'algorithm',
): readonly Algorithm[] {
  if (given === undefined) return DEFAULT_ALGORITHMS;
  const algorithms = [given].flat().map((name) => algorithmNamed(name) as Algorithm);
  const pair = ambiguousPair(algorithms);
  if (!pair) return algorithms;
  throw new KmsJwtOptionsError(
    path,
    `must name one algorithm for each type of key: the same key could sign with ${pair[0].alg} and ${pair[1].alg}`,
  );
}

/** @throws KmsJwtOptionsError if `jwks` has no key for the algorithms, or `verificationKeys` has a JWK for none of them */
export function checkPublicKeys(
  jwks: KmsJwtModuleOptions['jwks'],
  verificationKeys: NonNullable<RotationOptions['verificationKeys']>,
  algorithms: readonly Algorithm[],
  path = 'jwks',
): void {
  const required = `for ${namesOf(algorithms)} (see the option algorithm)`;
  if (jwks && keysIn(jwks, algorithms).length === 0) {
    const problem = `must be a JWK Set with a public key ${required} that has a kid, among its first ${MAX_KEYS}`;
    throw new KmsJwtOptionsError(path, problem);
  }
  const isValid = (key: unknown) =>
    typeof key === 'string' || verificationKeyFrom(key, algorithms) !== undefined;
  if (!verificationKeys.every(isValid)) {
    const problem = `must be an array of KMS keys, in the form of keyId, and public JWKs ${required} with a kid`;
    throw new KmsJwtOptionsError('rotation.verificationKeys', problem);
  }
}
