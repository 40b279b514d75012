import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { type Algorithm, ALGORITHMS } from './algorithms.js';

/** A public EC key as JSON (RFC 7517, section 4; RFC 7518, section 6.2.1), with the members that other verifiers need. */
export interface JsonWebKey {
  kty: 'EC';
  crv: string;
  x: string;
  y: string;
  kid: string;
  alg: string;
  use: 'sig';
}

/** A JWK Set (RFC 7517, section 5). */
export interface JsonWebKeySet {
  keys: JsonWebKey[];
}

export function toJwk(publicKey: KeyObject, algorithm: Algorithm): Omit<JsonWebKey, 'kid'> {
  const { crv, x, y } = publicKey.export({ format: 'jwk' }) as { crv: string; x: string; y: string };
  return { kty: 'EC', crv, x, y, alg: algorithm.alg, use: 'sig' };
}

/** The SHA-256 thumbprint of a key, in base64url: of its required members, in lexical order (RFC 7638, section 3). */
export function thumbprint({ crv, kty, x, y }: Omit<JsonWebKey, 'kid'>): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

/** A public key that verifies tokens. */
export interface VerificationKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly publicKey: KeyObject;
  readonly jwk: Readonly<JsonWebKey>;
}

/** A longer `kid` is refused, so that it cannot fill headers and logs. */
export const MAX_KID_LENGTH = 256;

/**
 * Reads a public JWK; returns undefined for keys of other algorithms and uses, which a key set may contain (RFC 7517,
 * section 5). Private members are left out.
 */
export function verificationKeyFrom(jwk: unknown): VerificationKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kty, crv, x, y, kid, alg, use, key_ops: operations } = jwk as Record<string, unknown>;
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH) return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return undefined;

  const publicKey = publicKeyFrom({ kty, crv, x, y });
  if (!publicKey) return undefined;
  const algorithm = algorithmOf(publicKey);
  if (!algorithm || (alg !== undefined && alg !== algorithm.alg)) return undefined;
  return { kid, algorithm, publicKey, jwk: { ...toJwk(publicKey, algorithm), kid } };
}

/** Reading a key takes about 0.1 ms, and issuers have a few. */
export const MAX_KEYS = 100;

/** Whether this is a JWK Set, of any keys or none (RFC 7517, section 5). */
export function isKeySet(value: unknown): value is { keys: unknown[] } {
  return typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys);
}

/** The keys of a set that can verify tokens, among its first `MAX_KEYS`. */
export function keysIn(keySet: unknown): VerificationKey[] {
  if (!isKeySet(keySet)) return [];
  return keySet.keys
    .slice(0, MAX_KEYS)
    .map(verificationKeyFrom)
    .filter((key) => key !== undefined);
}

/** The algorithm of a key, by its curve. */
export function algorithmOf(publicKey: KeyObject): Algorithm | undefined {
  const curve = publicKey.asymmetricKeyDetails?.namedCurve;
  return ALGORITHMS.find(({ namedCurve }) => namedCurve === curve);
}

function publicKeyFrom(key: object): KeyObject | undefined {
  try {
    return createPublicKey({ key: key as never, format: 'jwk' });
  } catch {
    return undefined;
  }
}
