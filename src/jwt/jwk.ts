import { createHash, type KeyObject } from 'node:crypto';
import type { Algorithm } from './algorithms.js';

/** A public EC key as JSON (RFC 7517, section 4; RFC 7518, section 6.2.1), with what verifiers elsewhere ask for. */
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
