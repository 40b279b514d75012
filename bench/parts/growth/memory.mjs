import { once } from 'node:events';
import { ContenderError } from '../../contenders/check.mjs';
import { LIBRARY, startLibrary } from '../../contenders/library.mjs';
import { startServer } from '../../servers/start.mjs';
import { inLanes } from '../../timing.mjs';

const BATCH = 10_000;
const CONCURRENCY = 64;
const MIB = 2 ** 20;

/** The memory while distinct tokens are verified: the caches of the library are bounded. */
export async function manyTokens(short) {
  const total = short ? 20_000 : 1_000_000;
  const issuer = await startServer('issuer.mjs');
  const library = await startLibrary({ jwks: { keys: [issuer.jwk] } });
  const memory = [[0, ...memoryNow()]];
  let batch = nextBatch(issuer);
  for (let done = BATCH; done <= total; done += BATCH) {
    const tokens = await batch;
    // The issuer makes the next tokens in the meantime.
    if (done < total) batch = nextBatch(issuer);
    await verifyAll(library.jwt, tokens);
    if (done % (total / 20) === 0) memory.push([done, ...memoryNow()]);
  }
  await library.close();
  await issuer.close();
  return {
    kind: 'curves',
    id: 'growth-tokens',
    title: 'Distinct tokens',
    text: `${total.toLocaleString('en')} distinct tokens, ${CONCURRENCY} at a time, with the default cache. Every second one is forged. The heap is measured after a garbage collection. The memory of the process (RSS) includes the tokens that wait to be verified, ${BATCH.toLocaleString('en')} at a time.`,
    x: { title: 'tokens' },
    y: { title: 'MiB' },
    series: [
      { name: 'RSS, MiB', points: memory.map(([done, rss]) => [done, rss]) },
      { name: 'heap, MiB', points: memory.map(([done, , heap]) => [done, heap]) },
    ],
  };
}

async function nextBatch({ process: issuer }) {
  issuer.send(BATCH);
  const [tokens] = await once(issuer, 'message');
  return tokens;
}

async function verifyAll(jwt, tokens) {
  let accepted = 0;
  await inLanes(CONCURRENCY, tokens, async (token) => {
    try {
      await jwt.verify(token);
      accepted += 1;
    } catch (error) {
      if (error.code !== 'token_signature_invalid') throw error;
    }
  });
  if (accepted !== tokens.length / 2) {
    throw new ContenderError(`${LIBRARY} accepts ${accepted} of ${tokens.length / 2} valid tokens`);
  }
}

function memoryNow() {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return [rss / MIB, heapUsed / MIB];
}
