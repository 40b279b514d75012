import { expect, test, vi } from 'vitest';
import { JwksUnavailableError, TokenClaimError, TokenKeyUnknownError } from '../../src/errors/errors.js';
import { parseCompact } from '../../src/jwt/compact.js';
import { IssuerVerifier } from '../../src/service/issuer-verifier.js';
import type { TrustSource } from '../../src/service/trust-sources.js';
import { KEY, NOW, tokenOf } from './token-verifier.support.js';

const TOKEN = tokenOf({ aud: 'orders', exp: NOW - 1 });
const JWS = parseCompact(TOKEN, 1000);

const away = () => Promise.reject(new JwksUnavailableError('away'));

/** Asks again about a token that an issuer's key and record accepted before. */
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

test('a token is asked about by its own issuer; that it has expired is for the watch to say', async () => {
  const { verifier, answer } = recheck();
  await expect(answer).resolves.toBeUndefined();
  expect(verifier.recheck).toHaveBeenCalledOnce();
});

test('a key that its issuer has removed ends it', async () => {
  await expect(recheck({ find: async () => undefined }).answer).rejects.toBeInstanceOf(TokenKeyUnknownError);
});

test('a record that has changed ends it', async () => {
  await expect(recheck({ audience: 'payroll' }).answer).rejects.toBeInstanceOf(TokenClaimError);
});

test('an issuer that cannot be reached says nothing about it', async () => {
  await expect(recheck({ find: away }).answer).rejects.toBeInstanceOf(JwksUnavailableError);
});
