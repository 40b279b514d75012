import { TokenError } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMES } from '../algorithms/support.js';
import { hostileFor, validFor } from './algorithm-corpus.js';
import { type AlgorithmCase, newAlgorithmKeys, trustInAlgorithm } from './algorithm-keys.js';
import { startOurs } from './ours.js';
import { optionsOf } from './support.js';

/** In microseconds of CPU time, on which other load has little effect: far above the time for any case. */
const BOUND = 1_000_000;

describe.each(NAMES)('of %s', (alg) => {
  const keys = newAlgorithmKeys(alg);
  let verifiers: Awaited<ReturnType<typeof startOurs>>[];

  beforeAll(async () => {
    const trust = trustInAlgorithm(keys);
    verifiers = [await startOurs(trust), await startOurs(trust, undefined, false)];
  });
  afterAll(async () => void (await Promise.all(verifiers.map(({ close }) => close()))));

  test.each(named(hostileFor(alg)))('a signature %s is refused (%s)', async (...[, , one]) => {
    const token = one.make(keys);
    for (const verifier of verifiers) {
      const start = process.cpuUsage();
      const verdict: unknown = await Promise.resolve(verifier.verify(token, optionsOf(one, keys))).then(
        () => 'accepted',
        (error: unknown) => error,
      );
      expect(verdict).toBeInstanceOf(TokenError);
      const { user, system } = process.cpuUsage(start);
      expect(user + system).toBeLessThan(BOUND);
    }
  });

  test.each(named(validFor(alg)))('a token with %s is accepted (%s)', async (...[, , one]) => {
    const token = one.make(keys);
    for (const verifier of verifiers) {
      await expect(verifier.verify(token, optionsOf(one, keys))).resolves.toMatchObject({ sub: 'user-42' });
    }
  });

  test('no two cases have the same name', () => {
    for (const cases of [hostileFor(alg), validFor(alg)]) {
      const names = cases.map(({ name }) => name);
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    }
  });
});

function named(cases: readonly AlgorithmCase[]) {
  return cases.map((one) => [one.name, one.source, one] as const);
}
