import { expect, test, vi } from 'vitest';
import { TokenMalformedError } from '../../src/errors/errors.js';
import { IssuerVerifier } from '../../src/service/issuer-verifier.js';
import type { TokenVerifier } from '../../src/service/token-verifier.js';
import type { TrustSource } from '../../src/service/trust-sources.js';
import { NOW, tokenOf } from './token-verifier.support.js';

const VERIFIED = { header: {}, claims: {} };
const SOURCE = {
  name: 'own',
  verifier: { verifyReceived: () => VERIFIED } as unknown as TokenVerifier,
} as TrustSource;

/** A verifier, and the signature checks of a process under load. */
function underLoad(select: () => TrustSource | Promise<TrustSource> = () => SOURCE) {
  const checks = { mayRead: vi.fn(() => false), room: vi.fn(async () => {}) };
  const verifier = new IssuerVerifier({ select }, { maxTokenLength: 1000 }, checks);
  return { checks, verify: (token: unknown) => verifier.verify(token, {}, () => NOW) };
}

test('a token waits before it is read if too many were read in this turn of the event loop', async () => {
  const { checks, verify } = underLoad();
  const verifying = verify('not a token');
  expect(checks.room).toHaveBeenCalledOnce();
  await expect(verifying).rejects.toBeInstanceOf(TokenMalformedError);
});

test('a token is read at once otherwise', () => {
  const { checks, verify } = underLoad();
  checks.mayRead.mockReturnValue(true);
  expect(verify(tokenOf())).toEqual({ ...VERIFIED, source: SOURCE });
  expect(() => verify('not a token')).toThrow(TokenMalformedError);
  expect(checks.room).not.toHaveBeenCalled();
});

test('a token waits its turn again after the lookup of its issuer, because many may have waited for that', async () => {
  const { checks, verify } = underLoad(async () => SOURCE);
  checks.mayRead.mockReturnValueOnce(true);
  await expect(verify(tokenOf())).resolves.toEqual({ ...VERIFIED, source: SOURCE });
  expect(checks.room).toHaveBeenCalledOnce();
});
