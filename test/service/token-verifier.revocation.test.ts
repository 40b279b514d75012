import { describe, expect, test, vi } from 'vitest';
import {
  RevocationUnavailableError,
  TokenExpiredError,
  TokenKeyUnknownError,
  TokenRevokedError,
  TokenSignatureError,
} from '../../src/errors/errors.js';
import { part } from '../support/forge.js';
import { HEADER, newVerifier, NOW, tokenOf, verify } from './token-verifier.support.js';

const ask = (isRevoked: unknown, token = tokenOf({ jti: 'a' })) =>
  verify(token, {}, { isRevoked: isRevoked as never, timeout: 200 });

describe('isRevoked', () => {
  test('receives the claims and the header', async () => {
    const isRevoked = vi.fn(() => false);
    await ask(isRevoked);
    expect(isRevoked.mock.calls).toEqual([[{ jti: 'a' }, HEADER]]);
  });

  test.each([
    ['returns', () => false],
    ['resolves to', async () => false],
  ])('that %s false accepts the token', async (_, isRevoked) => {
    await expect(ask(isRevoked)).resolves.toMatchObject({ claims: { jti: 'a' } });
  });

  test.each([
    ['returns', () => true],
    ['resolves to', async () => true],
  ])('that %s true revokes the token', async (_, isRevoked) => {
    await expect(ask(isRevoked)).rejects.toThrow(new TokenRevokedError());
  });

  test.each([[undefined], [0], ['false'], [null]])('that returns %o is unavailable', async (answer) => {
    await expect(ask(() => answer)).rejects.toThrow(
      new RevocationUnavailableError('isRevoked must return true or false'),
    );
  });

  test.each([
    [
      'throws',
      (cause: Error) => {
        throw cause;
      },
    ],
    ['rejects', (cause: Error) => Promise.reject(cause)],
  ])('that %s is unavailable, and the cause has only the name and the code of the error', async (_, fail) => {
    const outage = Object.assign(new TypeError('SISMEMBER revoked token-1'), { code: 'ECONNREFUSED' });
    const refusal = await ask(() => fail(outage)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RevocationUnavailableError);
    expect(refusal).toMatchObject({
      message: 'isRevoked failed',
      cause: {
        name: 'TypeError',
        code: 'ECONNREFUSED',
        message: 'Omitted, as it may quote the claims',
      },
    });
  });

  test('may throw RevocationUnavailableError itself', async () => {
    const own = new RevocationUnavailableError('the list is being rebuilt');
    await expect(ask(() => Promise.reject(own))).rejects.toBe(own);
  });

  test('has the time limit limits.timeout', async () => {
    await expect(ask(() => new Promise(() => {}))).rejects.toThrow(
      new RevocationUnavailableError('isRevoked did not answer within 200 ms'),
    );
  });

  test('is not called for an invalid token', async () => {
    const isRevoked = vi.fn(() => true);
    await expect(ask(isRevoked, tokenOf({ exp: 1 }))).rejects.toBeInstanceOf(TokenExpiredError);
    await expect(ask(isRevoked, `${part(HEADER)}.${part({})}.`)).rejects.toBeInstanceOf(TokenSignatureError);
    expect(isRevoked).not.toHaveBeenCalled();
  });
});

describe('while isRevoked runs', () => {
  test('the token may expire', async () => {
    let now = NOW;
    const { verifier } = newVerifier({
      isRevoked: async () => {
        now = NOW + 60;
        return false;
      },
    });
    const verified = verifier.verify(tokenOf({ exp: NOW + 60 }), {}, () => now);
    await expect(verified).rejects.toThrow(TokenExpiredError);
  });

  test('its key may be distrusted', async () => {
    const { ring, verifier } = newVerifier({
      isRevoked: async () => {
        ring.trusts.mockReturnValue(false);
        return false;
      },
    });
    await expect(verifier.verify(tokenOf(), {}, () => NOW)).rejects.toThrow(TokenKeyUnknownError);
  });

  test('neither is checked again if isRevoked was synchronous', async () => {
    const { ring, verifier } = newVerifier();
    await verifier.verify(tokenOf(), {}, () => NOW);
    expect(ring.trusts).not.toHaveBeenCalled();
  });
});
