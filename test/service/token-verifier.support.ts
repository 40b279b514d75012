import { vi } from 'vitest';
import type { KeyRing } from '../../src/keys/key-ring.js';
import type { SignatureChecks } from '../../src/jwt/signature-checks.js';
import type { VerifySettings } from '../../src/options/settings.js';
import { KmsVerifier } from '../../src/service/kms-verifier.js';
import { TokenVerifier, type VerifierSettings } from '../../src/service/token-verifier.js';
import { forge, newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';

export const NOW = 1_700_000_000;
const { publicKey, privateKey } = newKeyPair();
export const KEY = verificationKey('a', publicKey);
export const HEADER = { alg: 'ES256', typ: 'JWT', kid: 'a' };
export const tokenOf = (claims: object = {}, header: object = {}) =>
  forge({ ...HEADER, ...header }, claims, privateKey);

/** The KMS verifier of a service without a key in KMS. */
export const NO_KMS = new KmsVerifier(undefined, { messageType: 'DIGEST' });

/** A verifier that trusts one key, and its mocked ring. */
export function newVerifier(
  settings: Partial<VerifierSettings> = {},
  checks?: SignatureChecks,
  kms: Pick<KmsVerifier, 'verify'> = NO_KMS,
) {
  const ring = {
    find: vi.fn<KeyRing['find']>(async (kid) => (kid === KEY.kid ? KEY : undefined)),
    recordLifetime: vi.fn<KeyRing['recordLifetime']>(),
    trusts: vi.fn<KeyRing['trusts']>(() => true),
    known: new Map([[KEY.kid, KEY]]),
  };
  const given = {
    maxTokenLength: 1000,
    timeout: 1000,
    isRevoked: undefined,
    cache: { max: 10 },
    ...settings,
  };
  const verifier = new TokenVerifier(ring, given, kms, checks);
  return {
    ring,
    verifier: {
      verify: async (...args: Parameters<TokenVerifier['verify']>) => verifier.verify(...args),
      recheck: verifier.recheck.bind(verifier),
    },
  };
}

export async function verify(
  token: unknown,
  options: VerifySettings = {},
  settings: Partial<VerifierSettings> = {},
) {
  return newVerifier(settings).verifier.verify(token, options, () => NOW);
}
