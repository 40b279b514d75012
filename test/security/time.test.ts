import { TokenError } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendMember, encode, goodClaims, goodHeader, newKeys, seal, signed, trustIn } from './support.js';
import { startOurs } from './ours.js';

/** In characters. */
const SIZE = 96 * 1024;
/** For inputs that need much memory at once: with longer ones, the allocation by the system would dominate the time. */
const SMALLER_SIZE = 24 * 1024;
const SMALLER = new Set(['nested arrays', 'nested arrays that never close', 'a long signature']);
const MORE = 8;
/** Quadratic time grows by 64; caches and the garbage collector make linear time grow by more than 8. */
const BOUND = 32;
/** Disturbances only slow runs down, so further runs can correct a measured growth, but not hide a real one. */
const RUNS = { least: 7, most: 40 };

const keys = newKeys();
let ours: Awaited<ReturnType<typeof startOurs>>;

beforeAll(async () => void (ours = await startOurs(trustIn(keys), Number.MAX_SAFE_INTEGER, false)));
afterAll(() => ours.close());

/** The factor by which the time grows when the input grows by `MORE`. */
async function growth(of: (size: number) => () => unknown, size: number): Promise<number> {
  const [short, long] = [of(size), of(MORE * size)];
  // Alternating, so that other load affects both; the fastest runs are the least disturbed.
  const quickest = { short: Infinity, long: Infinity };
  const ratio = () => quickest.long / quickest.short;
  for (let run = 0; run < RUNS.least || (run < RUNS.most && ratio() >= BOUND); run += 1) {
    quickest.short = Math.min(quickest.short, await timeOf(short));
    quickest.long = Math.min(quickest.long, await timeOf(long));
  }
  return ratio();
}

async function timeOf(run: () => unknown): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

const withClaim = (json: string) =>
  signed(keys, goodHeader(keys), appendMember(goodClaims(keys), `"x":${json}`));
const withParameter = (json: string) =>
  signed(keys, appendMember(goodHeader(keys), `"x":${json}`), goodClaims(keys));
const members = (size: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: size / 16 }, (_, index) => [`member-${index}`, 1])));

const SHAPES: Record<string, (size: number) => string> = {
  'many claims': (size) => withClaim(members(size)),
  'many header parameters': (size) => withParameter(members(size)),
  'many members of one name': (size) => withClaim(`{${'"a":1,'.repeat(size / 8)}"a":1}`),
  'nested arrays': (size) => withClaim('['.repeat(size / 2) + ']'.repeat(size / 2)),
  'nested arrays that never close': (size) => withClaim('['.repeat(size)),
  'nested objects': (size) => withClaim(`${'{"a":'.repeat(size / 8)}1${'}'.repeat(size / 8)}`),
  'a string of escapes': (size) => withClaim(`"${String.raw`\"\\`.repeat(size / 4)}"`),
  'a string of escapes that never ends': (size) => withClaim(`"${String.raw`\"\\`.repeat(size / 4)}`),
  'a string of colons': (size) => withClaim(`"${':'.repeat(size)}"`),
  'a long number': (size) => withClaim('9'.repeat(size)),
  'white space': (size) => withClaim(`${' '.repeat(size)}1`),
  'many audiences': (size) =>
    signed(keys, goodHeader(keys), {
      ...goodClaims(keys),
      aud: Array.from({ length: size / 8 }, () => 'bills'),
    }),
  'a long typ': (size) => signed(keys, { ...goodHeader(keys), typ: 'application/'.repeat(size / 12) }),
  dots: (size) => '.'.repeat(size),
  'dots after a token': (size) => signed(keys) + '.'.repeat(size),
  'padding after a token': (size) => signed(keys) + '='.repeat(size),
  'a long signature': (size) =>
    seal(encode(goodHeader(keys)), encode(goodClaims(keys)), keys.privateKey) + 'A'.repeat(size),
};

const backtrack = (size: number) => {
  const text = `${' '.repeat(size)}.`;
  return () => /\s+$/.test(text);
};

describe('the time grows linearly with the length of a token:', () => {
  test.each(Object.entries(SHAPES))('%s', async (name, shape) => {
    const verify = (size: number) => {
      const token = shape(size);
      return async () => {
        try {
          await ours.verify(token, { audience: 'orders' });
        } catch (error) {
          expect(error).toBeInstanceOf(TokenError);
        }
      };
    };
    expect(await growth(verify, SMALLER.has(name) ? SMALLER_SIZE : SIZE)).toBeLessThan(BOUND);
  });

  test('the test detects a backtracking expression', async () => {
    expect(await growth(backtrack, 512)).toBeGreaterThan(BOUND);
  });
});
