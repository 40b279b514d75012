// Verifying tokens with this library and its peers, in one process.
import { scrypt } from 'node:crypto';
import { compare, HELD, P50, P99, RATE } from '../comparison.mjs';
import { checkContender, makeExamples } from '../contenders/check.mjs';
import { LIBRARY, startLibrary } from '../contenders/library.mjs';
import { fastJwt, peerVerifiers } from '../contenders/peers.mjs';
import { rawPoolVerifier, rawVerifier } from '../contenders/raw.mjs';
import { inLanes, longestBlock, percentiles, rateInLanes, rateOneAtATime } from '../timing.mjs';
import { makeKey, makeTokens } from '../tokens.mjs';

const RAW = 'crypto.verify, main thread';
const RAW_POOL = 'crypto.verify, thread pool';
const UNCACHED = `${LIBRARY}, cache: false`;
const SCRYPTS = 8;
const SCRYPT_COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const BATCH = 16;

/** @param {{ short: boolean }} options */
export async function run({ short }) {
  const scale = short
    ? { tokens: 1500, rounds: 1, milliseconds: 50 }
    : { tokens: 10_000, rounds: 6, milliseconds: 400 };
  const key = makeKey();
  const tokens = makeTokens(key, scale.tokens);
  const cached = await startLibrary({ jwks: { keys: [key.jwk] } });
  const uncached = await startLibrary({ jwks: { keys: [key.jwk] }, cache: false });
  const verifiers = {
    [RAW]: rawVerifier(key.publicKey),
    [RAW_POOL]: rawPoolVerifier(key.publicKey),
    [LIBRARY]: (token) => cached.jwt.verify(token),
    [UNCACHED]: (token) => uncached.jwt.verify(token),
    ...(await peerVerifiers(key)),
    'fast-jwt, cache: 1000': fastJwt(key, { cache: 1000 }),
  };
  await checkAll(key, verifiers);
  // Compiles the code of each before any is timed.
  for (const verify of Object.values(verifiers)) await rateOneAtATime(tokens.slice(0, 1000), verify);

  const sections = [
    await oneAtATime(verifiers, tokens, scale),
    await sixtyFourAtATime(verifiers, tokens, scale),
    await repeatedTokens(verifiers, tokens.slice(0, 500), scale),
    await whileScryptRuns(verifiers, tokens, scale),
    await allAtOnce(verifiers, tokens, scale),
  ];
  await cached.close();
  await uncached.close();
  return sections;
}

async function checkAll(key, verifiers) {
  const examples = makeExamples(key);
  for (const [name, verify] of Object.entries(verifiers)) {
    await checkContender(name, verify, examples, { signatureOnly: name === RAW || name === RAW_POOL });
  }
}

function oneAtATime(verifiers, tokens, { rounds }) {
  const peers = ['fast-jwt', 'jsonwebtoken', '@nestjs/jwt', 'aws-jwt-verify', 'jose'];
  return compare({
    id: 'verify-one-at-a-time',
    title: 'One token at a time',
    text: `${count(tokens)} distinct tokens, one after the other. The default cache (1,000 tokens) never contains the next token: the difference from \`cache: false\` is what the cache costs.`,
    metrics: [RATE],
    rounds,
    contenders: [RAW, LIBRARY, UNCACHED, ...peers].map((name) => ({
      name,
      run: () => rateOneAtATime(tokens, verifiers[name]),
    })),
    targets: [LIBRARY, UNCACHED].flatMap((contender) => [
      { contender, metric: 'rate', atLeast: 0.92 },
      { contender, metric: 'rate', atLeast: 0.99, to: peers },
    ]),
  });
}

function sixtyFourAtATime(verifiers, tokens, { rounds }) {
  return compare({
    id: 'verify-64-at-a-time',
    title: '64 tokens at a time',
    text: `${count(tokens)} distinct tokens, 64 at any time: when one is verified, the next begins.`,
    metrics: [RATE],
    rounds,
    contenders: [RAW, RAW_POOL, LIBRARY, 'jose'].map((name) => ({
      name,
      run: () => rateInLanes(64, tokens, verifiers[name]),
    })),
    targets: [{ contender: LIBRARY, metric: 'rate', atLeast: 1.5 }],
  });
}

function repeatedTokens(verifiers, tokens, { rounds, milliseconds }) {
  return compare({
    id: 'verify-repeated',
    title: 'Repeated tokens',
    text: `${count(tokens)} tokens, one after the other, repeatedly. The caches contain all of them.`,
    metrics: [RATE],
    rounds,
    contenders: [RAW, LIBRARY, 'fast-jwt, cache: 1000'].map((name) => ({
      name,
      run: () => rateOneAtATime(tokens, verifiers[name], milliseconds),
    })),
    targets: [{ contender: LIBRARY, metric: 'rate', atLeast: 25 }],
  });
}

function whileScryptRuns(verifiers, tokens, { rounds, milliseconds }) {
  return compare({
    id: 'verify-beside-scrypt',
    title: 'While scrypt runs',
    text: `${BATCH} tokens at once, then the next ${BATCH}, while ${SCRYPTS} scrypt calls (N = 2^15) run on the thread pool all the time. Latencies count from the arrival of the ${BATCH} tokens.`,
    metrics: [P50, P99],
    rounds,
    contenders: [RAW, UNCACHED].map((name) => ({
      name,
      run: () => latenciesWhileScryptRuns(tokens, verifiers[name], 5 * milliseconds),
    })),
    targets: [{ contender: UNCACHED, metric: 'p99', atMost: 1.1 }],
  });
}

function allAtOnce(verifiers, tokens, { rounds }) {
  return compare({
    id: 'verify-all-at-once',
    title: `${count(tokens)} tokens at once`,
    text: `${count(tokens)} calls in one loop, without waiting between them. The longest block is the longest time for which the event loop was blocked.`,
    metrics: [HELD, RATE],
    rounds,
    contenders: [RAW, RAW_POOL, UNCACHED, 'jose'].map((name) => ({
      name,
      run: () => blockAllAtOnce(tokens, verifiers[name]),
    })),
    targets: [{ contender: UNCACHED, metric: 'held', atMost: 20, unit: 'ms' }],
  });
}

async function latenciesWhileScryptRuns(tokens, verify, milliseconds) {
  const startedAt = performance.now();
  let isOver = false;
  const scrypts = inLanes(
    SCRYPTS,
    until(() => isOver),
    deriveKey,
  );
  const latencies = [];
  for (
    let at = 0;
    performance.now() - startedAt < milliseconds;
    at = (at + BATCH) % (tokens.length - BATCH)
  ) {
    const arrivedAt = performance.now();
    const verifyOne = async (token) => {
      await verify(token);
      latencies.push(performance.now() - arrivedAt);
    };
    await Promise.all(tokens.slice(at, at + BATCH).map(verifyOne));
    await new Promise(setImmediate);
  }
  isOver = true;
  await scrypts;
  return percentiles(latencies);
}

async function blockAllAtOnce(tokens, verify) {
  const startedAt = performance.now();
  const held = await longestBlock(() => Promise.all(tokens.map(verify)));
  return { held, rate: (tokens.length * 1000) / (performance.now() - startedAt) };
}

function* until(isOver) {
  while (!isOver()) yield undefined;
}

function deriveKey() {
  return new Promise((resolve, reject) => {
    scrypt('password', 'salt', 64, SCRYPT_COST, (error, derived) =>
      error ? reject(error) : resolve(derived),
    );
  });
}

function count(tokens) {
  return tokens.length.toLocaleString('en');
}
