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
  test('is asked by claims and header', async () => {
    const isRevoked = vi.fn(() => false);
    await ask(isRevoked);
    expect(isRevoked.mock.calls).toEqual([[{ jti: 'a' }, HEADER]]);
  });

  test.each([
    ['answers', () => false],
    ['resolves to', async () => false],
  ])('that %s false lets the token pass', async (_, isRevoked) => {
    await expect(ask(isRevoked)).resolves.toMatchObject({ claims: { jti: 'a' } });
  });

  test.each([
    ['answers', () => true],
    ['resolves to', async () => true],
  ])('that %s true ends the token', async (_, isRevoked) => {
    await expect(ask(isRevoked)).rejects.toThrow(new TokenRevokedError());
  });

  test.each([[undefined], [0], ['false'], [null]])('that answers %o cannot tell', async (answer) => {
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
  ])('that %s cannot tell, and the cause says no more than the kind of its error', async (_, fail) => {
    const away = Object.assign(new TypeError('SISMEMBER revoked token-1'), { code: 'ECONNREFUSED' });
    const refusal = await ask(() => fail(away)).catch((error: unknown) => error);
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

  test('may say by itself why it cannot tell', async () => {
    const own = new RevocationUnavailableError('the list is being rebuilt');
    await expect(ask(() => Promise.reject(own))).rejects.toBe(own);
  });

  test('has as long as timeout says', async () => {
    await expect(ask(() => new Promise(() => {}))).rejects.toThrow(
      new RevocationUnavailableError('isRevoked did not answer within 200 ms'),
    );
  });

  test('is not asked about a token that is bad anyway', async () => {
    const isRevoked = vi.fn(() => true);
    await expect(ask(isRevoked, tokenOf({ exp: 1 }))).rejects.toBeInstanceOf(TokenExpiredError);
    await expect(ask(isRevoked, `${part(HEADER)}.${part({})}.`)).rejects.toBeInstanceOf(TokenSignatureError);
    expect(isRevoked).not.toHaveBeenCalled();
  });
});

describe('while isRevoked is asked', () => {
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

  test('neither is asked again where nothing took time', async () => {
    const { ring, verifier } = newVerifier();
    await verifier.verify(tokenOf(), {}, () => NOW);
    expect(ring.trusts).not.toHaveBeenCalled();
  });
});
