import { checkContender, makeExamples } from '../../contenders/check.mjs';
import { LIBRARY, startLibrary } from '../../contenders/library.mjs';
import { rawVerifier } from '../../contenders/raw.mjs';
import { rateOneAtATime } from '../../timing.mjs';
import { makeClaims, makeKey, signToken } from '../../tokens.mjs';
import { measurePoints } from './points.mjs';

const COUNTS = [1, 3, 10, 30, 100];

/** One token at a time, with tokens of all keys in turn. */
export async function moreKeys(short) {
  const instances = [];
  for (const count of COUNTS) instances.push(await instanceWith(count, short ? 200 : 3000));
  const series = await measurePoints(instances, short ? 1 : 5, measure, ({ count }) => count);
  for (const { library } of instances) await library.close();
  return {
    kind: 'curves',
    id: 'growth-keys',
    title: 'Keys',
    text: 'Tokens of all trusted keys in turn, one at a time, without the cache. The ratio compares the rate with that of `crypto.verify` with the same keys.',
    x: { title: 'keys', log: true },
    y: { title: 'ratio of rates' },
    series,
  };
}

async function instanceWith(count, tokenCount) {
  const keys = Array.from({ length: count }, (_, index) => makeKey(`bench-${index}`));
  const library = await startLibrary({ jwks: { keys: keys.map(({ jwk }) => jwk) }, cache: false });
  await checkContender(LIBRARY, (token) => library.jwt.verify(token), makeExamples(keys.at(-1)));
  const raw = new Map(keys.map(({ kid, publicKey }) => [kid, rawVerifier(publicKey)]));
  const tokens = Array.from({ length: tokenCount }, (_, index) => {
    const key = keys[index % count];
    return { text: signToken(key, makeClaims(index)), verifyRaw: raw.get(key.kid) };
  });
  return { count, library, tokens };
}

async function measure({ library, tokens }) {
  const raw = await rateOneAtATime(tokens, ({ text, verifyRaw }) => verifyRaw(text));
  const verified = await rateOneAtATime(tokens, ({ text }) => library.jwt.verify(text));
  return { [`${LIBRARY} to crypto.verify`]: verified.rate / raw.rate };
}
