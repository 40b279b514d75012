import { createHash, createPublicKey, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';
import {
  type Algorithm,
  algorithmFor,
  type AlgorithmName,
  DEFAULT_ALGORITHMS,
  type PublicKey,
} from './algorithms.js';
import { MlDsaPublicKey, mlDsaEncodingOf, mlDsaKeyFrom, mlDsaKeyFromSpki } from './ml-dsa.js';

/** What identifies a public key in a JWK (RFC 7638, section 3.2; RFC 8037, section 2; RFC 9964). */
export type JwkMembers =
  | { kty: 'EC'; crv: string; x: string; y: string }
  | { kty: 'RSA'; n: string; e: string }
  | { kty: 'OKP'; crv: string; x: string }
  | { kty: 'AKP'; alg: AlgorithmName; pub: string };

/** A public key as JSON (RFC 7517, section 4), without its `kid`. */
export type JsonWebKeyWithoutKid = JwkMembers & { alg: AlgorithmName; use: 'sig' };

/** A public key as JSON (RFC 7517, section 4), with the members that other verifiers need. */
export type JsonWebKey = JsonWebKeyWithoutKid & { kid: string };

/** A JWK Set (RFC 7517, section 5). */
export interface JsonWebKeySet {
  keys: JsonWebKey[];
}

/** A public key that verifies tokens. */
export interface VerificationKey {
  readonly kid: string;
  /** Fixed when the key is read: the `alg` of a token is only compared with it. */
  readonly algorithm: Algorithm;
  readonly publicKey: PublicKey;
  readonly jwk: Readonly<JsonWebKey>;
  /** SHA-256, in base64url (RFC 7638). */
  readonly thumbprint: string;
  /** The length of a JOSE signature by this key, in bytes. */
  readonly signatureLength: number;
  /** The key as `crypto.verify` takes it; undefined if the runtime does not have the algorithm. */
  readonly verifyInput: VerifyKeyObjectInput | undefined;
}

/** A key whose type and algorithm are known. */
export function newVerificationKey(
  publicKey: PublicKey,
  algorithm: Algorithm,
  kidOf: (jwk: JsonWebKeyWithoutKid) => string,
): VerificationKey {
  const jwk = toJwk(publicKey, algorithm);
  const kid = kidOf(jwk);
  return {
    kid,
    algorithm,
    publicKey,
    jwk: { ...jwk, kid },
    thumbprint: thumbprint(jwk),
    signatureLength: algorithm.signatureLength(publicKey),
    verifyInput:
      publicKey instanceof MlDsaPublicKey ? undefined : { key: publicKey, ...algorithm.verifyOptions },
  };
}

/** Whether two keys are the same one, with the same algorithm; a fetch makes new objects of the same keys. */
export function isSamePublicKey(one: VerificationKey, other: VerificationKey): boolean {
  return one === other || (one.algorithm === other.algorithm && one.thumbprint === other.thumbprint);
}

/** The SHA-256 thumbprint of a key, in base64url: of its required members, in lexical order (RFC 7638, section 3). */
export function thumbprint(jwk: JwkMembers): string {
  return createHash('sha256')
    .update(JSON.stringify(requiredMembers(jwk)))
    .digest('base64url');
}

/** A longer `kid` is refused, so that it cannot fill headers and logs. */
export const MAX_KID_LENGTH = 256;

/**
 * Reads a public JWK; returns undefined for keys of other algorithms and uses, which a key set may contain (RFC 7517,
 * section 5). Private members are left out. A JWK without `alg` has the only algorithm that fits it.
 *
 * @param algorithms the algorithms that a key may have
 */
export function verificationKeyFrom(
  jwk: unknown,
  algorithms: readonly Algorithm[] = DEFAULT_ALGORITHMS,
): VerificationKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kid, alg, use, key_ops: operations } = jwk as Record<string, unknown>;
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH) return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return undefined;

  const publicKey = publicKeyFromJwk(jwk as Record<string, unknown>);
  const algorithm = publicKey && algorithmFor(publicKey, algorithms, alg);
  return algorithm && newVerificationKey(publicKey, algorithm, () => kid);
}

/** How many keys of a key set are read: reading one takes about 0.1 ms, and issuers have only a few. */
export const MAX_KEYS = 100;

/** Whether this is a JWK Set, of any keys or none (RFC 7517, section 5). */
export function isKeySet(value: unknown): value is { keys: unknown[] } {
  return typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys);
}

/** The keys of a set that can verify tokens, among its first `MAX_KEYS`. */
export function keysIn(keySet: unknown, algorithms?: readonly Algorithm[]): VerificationKey[] {
  if (!isKeySet(keySet)) return [];
  return keySet.keys
    .slice(0, MAX_KEYS)
    .map((key) => verificationKeyFrom(key, algorithms))
    .filter((key) => key !== undefined);
}

/** Reads a DER SubjectPublicKeyInfo, as GetPublicKey returns it; undefined if it is not one of a known type. */
export function publicKeyFromSpki(spki: Uint8Array): PublicKey | undefined {
  const der = Buffer.from(spki);
  try {
    return mlDsaKeyFromSpki(der) ?? createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function publicKeyFromJwk(jwk: Record<string, unknown>): PublicKey | undefined {
  const { kty, crv, x, y, n, e, alg, pub } = jwk;
  try {
    switch (kty) {
      case 'EC':
        return createPublicKey({ key: { kty, crv, x, y } as never, format: 'jwk' });
      case 'RSA':
        return createPublicKey({ key: { kty, n, e } as never, format: 'jwk' });
      case 'OKP':
        return createPublicKey({ key: { kty, crv, x } as never, format: 'jwk' });
      case 'AKP':
        return typeof pub === 'string' ? mlDsaKeyFrom(alg, Buffer.from(pub, 'base64url')) : undefined;
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function toJwk(publicKey: PublicKey, { alg }: Algorithm): JsonWebKeyWithoutKid {
  const mlDsa = mlDsaEncodingOf(publicKey);
  const members: JwkMembers = mlDsa
    ? { kty: 'AKP', alg, pub: mlDsa.bytes.toString('base64url') }
    : requiredMembers((publicKey as KeyObject).export({ format: 'jwk' }) as JwkMembers);
  return { ...members, alg, use: 'sig' };
}

/** In lexical order. */
function requiredMembers(jwk: JwkMembers): JwkMembers {
  switch (jwk.kty) {
    case 'EC':
      return { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y };
    case 'RSA':
      return { e: jwk.e, kty: jwk.kty, n: jwk.n };
    case 'OKP':
      return { crv: jwk.crv, kty: jwk.kty, x: jwk.x };
    default:
      return { alg: jwk.alg, kty: jwk.kty, pub: jwk.pub };
  }
}
