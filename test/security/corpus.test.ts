import { TokenError } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostile, leftOpen, valid } from './corpus.js';
import { type Case, newKeys, optionsOf, trustIn } from './support.js';
import { startOurs } from './ours.js';
import type { Verifier } from './verifier.js';

/** In milliseconds: far above the time for any case, and far below that of a backtracking search. */
const BOUND = 1000;
/** So high that no case is refused only for its length. */
const NO_LIMIT = 64 * 1024 * 1024;

const keys = newKeys();
let ours: Awaited<ReturnType<typeof startOurs>>;
let unlimited: Awaited<ReturnType<typeof startOurs>>;
let withoutCache: Awaited<ReturnType<typeof startOurs>>;

beforeAll(async () => {
  ours = await startOurs(trustIn(keys));
  unlimited = await startOurs(trustIn(keys), NO_LIMIT, false);
  withoutCache = await startOurs(trustIn(keys), undefined, false);
});
afterAll(async () => {
  await ours.close();
  await unlimited.close();
  await withoutCache.close();
});

async function refusal(verifier: Verifier, one: Case): Promise<{ error: unknown; took: number }> {
  const token = one.make(keys);
  const start = performance.now();
  const error: unknown = await Promise.resolve(verifier.verify(token, optionsOf(one, keys))).then(
    () => 'accepted',
    (thrown: unknown) => thrown,
  );
  return { error, took: performance.now() - start };
}

describe.each(Object.entries(hostile))('%s', (_, cases) => {
  test.each(cases.map((one) => [one.name, one.source, one] as const))(
    '%s is refused (%s)',
    async (...[, , one]) => {
      const { error, took } = await refusal(ours, one);
      expect(error).toBeInstanceOf(TokenError);
      expect(took).toBeLessThan(BOUND);
    },
  );
});

describe('with an unlimited token length', () => {
  const cases = Object.entries(hostile).flatMap(([group, all]) =>
    all
      .filter(({ needs = [] }) => !needs.includes('maxTokenLength'))
      .map((one) => [`${group} ${one.name}`, one] as const),
  );

  test.each(cases)('%s is refused', async (_, one) => {
    const { error, took } = await refusal(unlimited, one);
    expect(error).toBeInstanceOf(TokenError);
    expect(took).toBeLessThan(BOUND);
  });
});

describe('without a cache', () => {
  test.each(Object.entries(hostile))('%s is refused', async (_, cases) => {
    for (const one of cases) {
      expect((await refusal(withoutCache, one)).error, one.name).toBeInstanceOf(TokenError);
    }
  });
});

describe('decode', () => {
  const cases = Object.entries(hostile).flatMap(([group, all]) =>
    all.map((one) => [`${group} ${one.name}`, one] as const),
  );

  test.each(cases)('returns claims or throws a TokenError: %s', (_, one) => {
    const token = one.make(keys) as string;
    let outcome: unknown;
    try {
      outcome = ours.service.decode(token);
    } catch (error) {
      outcome = error;
    }
    expect(outcome instanceof TokenError || Object.getPrototypeOf(outcome) === Object.prototype).toBe(true);
  });
});

describe('a valid token is accepted:', () => {
  test.each(valid.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await expect(ours.verify(one.make(keys), optionsOf(one, keys))).resolves.toBeTypeOf('object');
  });
});

describe('a token that RFCs leave open is accepted:', () => {
  test.each(leftOpen.map((one) => [one.name, one.reason, one] as const))('%s: %s', async (...[, , one]) => {
    await expect(ours.verify(one.make(keys), optionsOf(one, keys))).resolves.toBeTypeOf('object');
  });
});

test('no two cases of a group have the same name', () => {
  for (const cases of [...Object.values(hostile), valid, leftOpen]) {
    const names = cases.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  }
});
