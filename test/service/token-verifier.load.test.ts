import { describe, expect, test, vi } from 'vitest';
import { TokenKeyUnknownError, TokenMalformedError } from '../../src/errors/errors.js';
import type { SignatureChecks } from '../../src/jwt/signature-checks.js';
import { TokenVerifier } from '../../src/service/token-verifier.js';
import { part } from '../support/forge.js';
import { HEADER, KEY, NO_KMS, NOW, tokenOf } from './token-verifier.support.js';

const SETTINGS = { maxTokenLength: 1000, timeout: 1000, isRevoked: undefined, cache: { max: 10 } } as const;

/** A verifier, and the signature checks of a process under load. */
function underLoad({ known = true, mayRead = false } = {}) {
  const checks = {
    mayRead: vi.fn(() => mayRead),
    mayAnswerKnown: vi.fn(() => true),
    room: vi.fn(async () => {}),
    check: vi.fn(() => true),
  };
  const ring = {
    known: known ? new Map([[KEY.kid, KEY]]) : undefined,
    find: async () => KEY,
    trusts: vi.fn(() => true),
  };
  const verifier = new TokenVerifier(ring, SETTINGS, NO_KMS, checks as unknown as SignatureChecks);
  return { checks, ring, verify: (token: unknown) => verifier.verify(token, {}, () => NOW) };
}

describe('if too many tokens were read in this turn of the event loop', () => {
  test('a token waits for room before it is read', async () => {
    const { checks, verify } = underLoad();
    const verifying = verify('not a token');
    expect(checks.room).toHaveBeenCalledOnce();
    await expect(verifying).rejects.toBeInstanceOf(TokenMalformedError);
    await expect(verify(tokenOf({ sub: 'user-42' }))).resolves.toMatchObject({ claims: { sub: 'user-42' } });
  });

  test('a cached token is answered at once, unless too many were', async () => {
    const { checks, verify } = underLoad();
    const token = tokenOf({ sub: 'user-42' });
    await verify(token);
    await verify(token);
    expect(verify(token)).toMatchObject({ claims: { sub: 'user-42' } });
    expect(checks.room).toHaveBeenCalledTimes(2);

    checks.mayAnswerKnown.mockReturnValue(false);
    await expect(verify(token)).resolves.toMatchObject({ claims: { sub: 'user-42' } });
    expect(checks.room).toHaveBeenCalledTimes(3);
    expect(checks.check).toHaveBeenCalledTimes(2);
  });

  test('a token whose key was fetched waits for room again, and its key must still be trusted', async () => {
    const { checks, ring, verify } = underLoad({ known: false });
    await verify(tokenOf());
    expect(checks.room).toHaveBeenCalledTimes(2);
    ring.trusts.mockReturnValue(false);
    await expect(verify(tokenOf())).rejects.toBeInstanceOf(TokenKeyUnknownError);
  });
});

test('otherwise a token waits only for its key', async () => {
  const { checks, ring, verify } = underLoad({ known: false, mayRead: true });
  ring.trusts.mockReturnValue(false);
  await expect(verify(tokenOf({ sub: 'user-42' }))).resolves.toMatchObject({ claims: { sub: 'user-42' } });
  expect(checks.room).not.toHaveBeenCalled();
});

test.each([
  ['header', `${part('[]')}.${part({})}.AQID`, 'is not a JSON object'],
  ['header', `gA.${part({})}.AQID`, 'is not unambiguous JSON in UTF-8'],
  ['payload', `${part(HEADER)}.${part('[]')}.AQID`, 'is not a JSON object'],
  ['payload', `${part(HEADER)}.gA.AQID`, 'is not unambiguous JSON in UTF-8'],
])('an error names the %s', (name, token, problem) => {
  const { verify } = underLoad({ mayRead: true });
  expect(() => verify(token)).toThrow(new TokenMalformedError(`The ${name} of the token ${problem}`));
});
