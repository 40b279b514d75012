// The tokens that all contenders verify: ES256, with an issuer and an audience.
import { generateKeyPairSync, sign } from 'node:crypto';

export const ISSUER = 'https://auth.example.com';
export const AUDIENCE = 'orders';
/** The size of the claims as JSON. */
export const CLAIM_BYTES = 435;
const LIFETIME_SECONDS = 4 * 3600;

/** @param {string} kid */
export function makeKey(kid = 'bench-1') {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
  return { kid, privateKey, publicKey, jwk };
}

/**
 * Typical claims of an access token, padded to a size.
 *
 * @param {number} index a different token for each index
 * @param {number} bytes the size of the JSON; below 300, the claims are minimal and not padded
 */
export function makeClaims(index, bytes = CLAIM_BYTES) {
  const iat = Math.floor(Date.now() / 1000);
  const number = String(index).padStart(8, '0');
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: `user-${number}`, iat, exp: iat + LIFETIME_SECONDS };
  if (bytes < 300) return claims;
  const full = {
    ...claims,
    jti: `0f8e3c52-6d1b-4c1a-9a57-0000${number}`,
    scope: 'orders:read orders:write invoices:read',
    roles: ['customer', 'manager'],
    tenant: 'acme-europe',
    email: `user-${number}@example.com`,
    note: '',
  };
  full.note = 'x'.repeat(bytes - JSON.stringify(full).length);
  return full;
}

/**
 * @param {ReturnType<typeof makeKey>} key
 * @param {object} claims
 */
export function signToken({ kid, privateKey }, claims) {
  const input = `${encode({ alg: 'ES256', typ: 'JWT', kid })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

/**
 * @param {ReturnType<typeof makeKey>} key
 * @param {number} count
 */
export function makeTokens(key, count) {
  return Array.from({ length: count }, (_, index) => signToken(key, makeClaims(index)));
}

/**
 * The same token with an invalid signature of the right format.
 *
 * @param {string} token
 */
export function forge(token) {
  const at = token.lastIndexOf('.') + 10;
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
}

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
