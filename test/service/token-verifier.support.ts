import { vi } from 'vitest';
import { toJwk, type VerificationKey } from '../../src/jwt/jwk.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import type { KeyRing } from '../../src/keys/key-ring.js';
import type { VerifySettings } from '../../src/options/settings.js';
import { TokenVerifier, type VerifierSettings } from '../../src/service/token-verifier.js';
import { forge, newKeyPair } from '../support/forge.js';

export const NOW = 1_700_000_000;
const { publicKey, privateKey } = newKeyPair();
export const KEY: VerificationKey = {
  kid: 'a',
  algorithm: ES256,
  publicKey,
  jwk: { ...toJwk(publicKey, ES256), kid: 'a' },
};
export const HEADER = { alg: 'ES256', typ: 'JWT', kid: 'a' };
export const tokenOf = (claims: object = {}, header: object = {}) =>
  forge({ ...HEADER, ...header }, claims, privateKey);

/** A verifier that trusts one key, and what it tells its ring. */
export function newVerifier(settings: Partial<VerifierSettings> = {}) {
  const ring = {
    find: vi.fn<KeyRing['find']>(async (kid) => (kid === KEY.kid ? KEY : undefined)),
    recordLifetime: vi.fn<KeyRing['recordLifetime']>(),
    trusts: vi.fn<KeyRing['trusts']>(() => true),
  };
  const given = { maxTokenLength: 1000, timeout: 1000, isRevoked: undefined, ...settings };
  return { ring, verifier: new TokenVerifier(ring as unknown as KeyRing, given) };
}

export function verify(
  token: unknown,
  options: VerifySettings = {},
  settings: Partial<VerifierSettings> = {},
) {
  return newVerifier(settings).verifier.verify(token, options, () => NOW);
}
