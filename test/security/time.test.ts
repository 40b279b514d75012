import { TokenError } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendMember, encode, goodClaims, goodHeader, newKeys, seal, signed, trustIn } from './support.js';
import { startOurs } from './ours.js';

/** In characters. */
const SIZE = 96 * 1024;
/** For what needs much memory at once, which the system gives page by page: with longer inputs that takes the time. */
const SMALLER_SIZE = 24 * 1024;
const SMALLER = new Set(['arrays in arrays', 'arrays in arrays that never close', 'a long signature']);
const MORE = 8;
/** Quadratic time grows by 64; caches and the garbage collector make linear time grow by more than 8. */
const BOUND = 32;
/** Disturbed runs only take longer, so that more of them can lower a growth that looks too great, but not hide one that is. */
const RUNS = { least: 7, most: 40 };

const keys = newKeys();
let ours: Awaited<ReturnType<typeof startOurs>>;

beforeAll(async () => void (ours = await startOurs(trustIn(keys), Number.MAX_SAFE_INTEGER, false)));
afterAll(() => ours.close());

/** By how much the time grows with an input that is so much longer. */
async function growth(of: (size: number) => () => unknown, size: number): Promise<number> {
  const [short, long] = [of(size), of(MORE * size)];
  // In turn, so that what else the machine does meets both; the quickest runs are disturbed the least.
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
  'arrays in arrays': (size) => withClaim('['.repeat(size / 2) + ']'.repeat(size / 2)),
  'arrays in arrays that never close': (size) => withClaim('['.repeat(size)),
  'objects in objects': (size) => withClaim(`${'{"a":'.repeat(size / 8)}1${'}'.repeat(size / 8)}`),
  'a text of escapes': (size) => withClaim(`"${String.raw`\"\\`.repeat(size / 4)}"`),
  'a text of escapes that never ends': (size) => withClaim(`"${String.raw`\"\\`.repeat(size / 4)}`),
  'a text of colons': (size) => withClaim(`"${':'.repeat(size)}"`),
  'a long number': (size) => withClaim('9'.repeat(size)),
  'white space': (size) => withClaim(`${' '.repeat(size)}1`),
  'many audiences': (size) =>
    signed(keys, goodHeader(keys), {
      ...goodClaims(keys),
      aud: Array.from({ length: size / 8 }, () => 'bills'),
    }),
  'a long typ': (size) => signed(keys, { ...goodHeader(keys), typ: 'application/'.repeat(size / 12) }),
  dots: (size) => '.'.repeat(size),
  'dots behind a token': (size) => signed(keys) + '.'.repeat(size),
  'padding behind a token': (size) => signed(keys) + '='.repeat(size),
  'a long signature': (size) =>
    seal(encode(goodHeader(keys)), encode(goodClaims(keys)), keys.privateKey) + 'A'.repeat(size),
};

const backtrack = (size: number) => {
  const text = `${' '.repeat(size)}.`;
  return () => /\s+$/.test(text);
};

describe('time grows as the length of a token does:', () => {
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

  test('more than that is found', async () => {
    expect(await growth(backtrack, 512)).toBeGreaterThan(BOUND);
  });
});
