import { describe, expect, test, vi } from 'vitest';
import { TokenKeyUnknownError, TokenSignatureError } from '../../src/errors/errors.js';
import { type VerificationKey, verificationKeyFrom } from '../../src/jwt/jwk.js';
import { SignatureChecks } from '../../src/jwt/signature-checks.js';
import { TokenVerifier, type VerifierSettings } from '../../src/service/token-verifier.js';
import { newRing } from '../keys/support.js';
import { quickChecks } from '../jwt/signature-checks.support.js';
import { forge, newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';
import { NO_KMS, NOW } from './token-verifier.support.js';

const { publicKey, privateKey } = newKeyPair();
/** A fetch creates new objects for the same keys. */
const fetched = (kid: string, key = publicKey) =>
  verificationKeyFrom(verificationKey(kid, key).jwk) as VerificationKey;
const tokenOf = (kid: string, claims: object = {}) =>
  forge({ alg: 'ES256', typ: 'JWT', kid }, claims, privateKey);

/** A verifier with these key sets, one per refresh, and its signature checks. */
async function newVerifier(
  answers: VerificationKey[][],
  {
    checks = new SignatureChecks(),
    ...settings
  }: Partial<VerifierSettings> & { checks?: SignatureChecks } = {},
) {
  const { ring } = newRing(answers.map((others) => ({ others, freshFor: 300 })));
  await ring.all();
  const check = vi.spyOn(checks, 'check');
  const verifier = new TokenVerifier(
    ring,
    { maxTokenLength: 10_000, timeout: 1000, isRevoked: undefined, cache: { max: 10 }, ...settings },
    NO_KMS,
    checks,
  );
  const verify = async (token: unknown) => verifier.verify(token, {}, () => NOW);
  /** Verifies the token twice, after which it is cached. */
  const know = async (token: string) => {
    await verify(token);
    await verify(token);
  };
  return { ring, check, verify, know };
}

describe('a token that was verified', () => {
  test('is accepted again without another check of its signature', async () => {
    const { check, verify, know } = await newVerifier([[fetched('a')]]);
    await verify(tokenOf('a'));
    const token = tokenOf('a', { sub: 'user-42' });
    await know(token);
    check.mockClear();
    expect(await verify(token)).toMatchObject({ claims: { sub: 'user-42' } });
    expect(check).not.toHaveBeenCalled();
  });

  test('is still cached when the same keys have been fetched again', async () => {
    const { check, ring, verify, know } = await newVerifier([[fetched('a')], [fetched('a')]]);
    const token = tokenOf('a');
    await know(token);
    check.mockClear();
    await ring.refresh();
    await verify(token);
    expect(check).not.toHaveBeenCalled();
  });

  test.each([
    ['has left the ring', [fetched('b')]],
    ['was replaced by another with its kid', [fetched('a', newKeyPair().publicKey)]],
  ])('is refused when its key %s', async (_, next) => {
    const { ring, verify, know } = await newVerifier([[fetched('a')], next]);
    const token = tokenOf('a');
    await know(token);
    await ring.refresh();
    await expect(verify(token)).rejects.toThrow();
  });

  test('is checked again when its key was removed for a while', async () => {
    const { check, ring, verify, know } = await newVerifier([[fetched('a')], [fetched('b')], [fetched('a')]]);
    const token = tokenOf('a');
    await know(token);
    await ring.refresh();
    await verify(tokenOf('b'));
    await ring.refresh();
    check.mockClear();
    await verify(token);
    expect(check).toHaveBeenCalledOnce();
  });
});

describe('a key that is removed during a signature check in the pool', () => {
  test('verifies no token, then or later', async () => {
    const { checks, inPool, trial } = await quickChecks();
    const { ring, verify, know } = await newVerifier([[fetched('a'), fetched('b')], [fetched('b')]], {
      checks,
    });
    const [known, token] = [tokenOf('b', { n: 1 }), tokenOf('a')];
    await know(known);
    expect(await trial()).toBe(true);

    const verdicts = [verify(tokenOf('b', { n: 2 })), verify(token)];
    await ring.refresh();
    // By now another call has noticed the removal of the key.
    await verdicts[0];
    await verify(known);
    for (const job of inPool) job.answer(true);
    await expect(verdicts[1]).rejects.toThrow(new TokenKeyUnknownError());
    await expect(verify(token)).rejects.toThrow(new TokenKeyUnknownError());
  });
});

describe('in the pool and on the main thread', () => {
  test('a forged token is refused with the same error', async () => {
    const { checks, inPool } = await quickChecks();
    const { verify } = await newVerifier([[fetched('a')]], { checks });
    const forged = forge({ alg: 'ES256', typ: 'JWT', kid: 'a' }, {}, newKeyPair().privateKey);
    const verdicts = [verify(tokenOf('a')), verify(forged)];
    expect(inPool).toHaveLength(1);
    inPool[0]?.answer(false);
    await verdicts[0];
    await expect(verdicts[1]).rejects.toThrow(new TokenSignatureError());
  });
});

describe('many calls that wait for a fetch of the keys', () => {
  test('do not check their signatures in one turn of the event loop', async () => {
    const { ring } = newRing([{ others: [fetched('a')], freshFor: 300 }]);
    const checks = new SignatureChecks();
    let inTurn = 0;
    let most = 0;
    const check = checks.check.bind(checks);
    vi.spyOn(checks, 'check').mockImplementation((one) => {
      if (inTurn === 0) setImmediate(() => (inTurn = 0));
      inTurn += 1;
      most = Math.max(most, inTurn);
      return check(one);
    });
    const verifier = new TokenVerifier(
      ring,
      { maxTokenLength: 10_000, timeout: 1000, isRevoked: undefined, cache: false },
      NO_KMS,
      checks,
    );
    const token = tokenOf('a');
    await Promise.all(Array.from({ length: 500 }, async () => verifier.verify(token, {}, () => NOW)));
    expect(most).toBeLessThanOrEqual(130);
  });
});
