import { expect, test, vi } from 'vitest';
import { JwksUnavailableError, TokenClaimError, TokenKeyUnknownError } from '../../src/errors/errors.js';
import { parseCompact } from '../../src/jwt/compact.js';
import { IssuerVerifier } from '../../src/service/issuer-verifier.js';
import type { TrustSource } from '../../src/service/trust-sources.js';
import { KEY, NOW, tokenOf } from './token-verifier.support.js';

const TOKEN = tokenOf({ aud: 'orders', exp: NOW - 1 });
const JWS = parseCompact(TOKEN, 1000);

const outage = () => Promise.reject(new JwksUnavailableError('outage'));

/** Rechecks a token that was accepted before with the key and the record of its issuer. */
function recheck({
  find = async () => KEY,
  audience = 'orders',
}: { find?: () => Promise<typeof KEY | undefined>; audience?: string } = {}) {
  const verifier = { recheck: vi.fn(async () => {}) };
  const source = { name: 'corp', ring: { find }, verifier, issuer: { expect: { audience: [audience] } } };
  const verifierOfAll = new IssuerVerifier(
    { select: () => source as unknown as TrustSource },
    { maxTokenLength: 1000 },
  );
  return { verifier, answer: verifierOfAll.recheck(TOKEN, JWS, {}, () => NOW) };
}

test('recheck uses the issuer of the token, and does not check the expiry, which the watch does', async () => {
  const { verifier, answer } = recheck();
  await expect(answer).resolves.toBeUndefined();
  expect(verifier.recheck).toHaveBeenCalledOnce();
});

test('recheck refuses a token whose key the issuer has removed', async () => {
  await expect(recheck({ find: async () => undefined }).answer).rejects.toBeInstanceOf(TokenKeyUnknownError);
});

test('recheck refuses a token that a changed record does not accept', async () => {
  await expect(recheck({ audience: 'payroll' }).answer).rejects.toBeInstanceOf(TokenClaimError);
});

test('recheck fails with JwksUnavailableError if the issuer is unavailable', async () => {
  await expect(recheck({ find: outage }).answer).rejects.toBeInstanceOf(JwksUnavailableError);
});
