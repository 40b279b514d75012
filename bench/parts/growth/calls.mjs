import { checkContender, makeExamples } from '../../contenders/check.mjs';
import { LIBRARY, startLibrary } from '../../contenders/library.mjs';
import { rawVerifier } from '../../contenders/raw.mjs';
import { inLanes, longestBlock, rateOneAtATime } from '../../timing.mjs';
import { makeKey, makeTokens } from '../../tokens.mjs';
import { measurePoints } from './points.mjs';

const COUNTS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];

/** Keeps this number of calls in progress until all tokens have been verified. */
export async function moreCalls(short) {
  const key = makeKey();
  const tokens = makeTokens(key, short ? 1000 : 10_000);
  const library = await startLibrary({ jwks: { keys: [key.jwk] }, cache: false });
  const verify = (token) => library.jwt.verify(token);
  await checkContender(LIBRARY, verify, makeExamples(key));
  const verifyRaw = rawVerifier(key.publicKey);
  const measure = async (count) => {
    const raw = await rateOneAtATime(tokens, verifyRaw);
    const startedAt = performance.now();
    const held = await longestBlock(() => inLanes(count, tokens, verify));
    const rate = (tokens.length * 1000) / (performance.now() - startedAt);
    return { 'rate, ratio to crypto.verify one at a time': rate / raw.rate, 'longest block, ms': held };
  };
  const counts = COUNTS.filter((count) => count <= tokens.length);
  const series = await measurePoints(counts, short ? 1 : 2, measure, (count) => count);
  await library.close();
  return {
    kind: 'curves',
    id: 'growth-calls',
    title: 'Concurrent calls',
    text: `${tokens.length.toLocaleString('en')} distinct tokens, without the cache: the rate, and the longest time for which the event loop was blocked.`,
    x: { title: 'concurrent calls', log: true },
    y: { title: 'ratio, ms', log: true },
    series,
  };
}
