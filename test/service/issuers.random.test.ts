import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { startIssuer } from '../support/issuer.js';
import { errorOf, mismatch, startService } from './issuers.support.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const MEGABYTE = 1024 * 1024;

const payload = (n: number) =>
  Buffer.from(`{"iss":"https://${n}.${Math.random()}.example","aud":"orders"}`).toString('base64url');

/** The memory in use after garbage collection, and after V8 has returned free pages to the system, which it does with a delay. */
async function memory() {
  gc();
  await setTimeout(200);
  gc();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heapUsed };
}

/** The names of the errors for so many tokens, each with another `iss`, ten at a time. */
async function flood(verify: (token: string) => Promise<unknown>, token: string, count: number) {
  const [header, , signature] = token.split('.');
  const names = new Set<string | undefined>();
  for (let n = 0; n < count; n += 10) {
    const tokens = Array.from({ length: 10 }, (_, m) => `${header}.${payload(n + m)}.${signature}`);
    const errors = await Promise.all(tokens.map((one) => errorOf(verify(one))));
    for (const error of errors) names.add(error?.name);
  }
  return [...names];
}

test.each<[string, boolean]>([
  ['an array of issuers', false],
  ['a function that finds issuers', true],
])(
  '100,000 tokens with random iss cause no fetch and retain no memory, with %s',
  { timeout: 60_000 },
  async (_, isLookUp) => {
    const corp = await startIssuer();
    const find = async (iss: string) => (iss === corp.url ? corp.record() : undefined);
    const { jwt } = await startService({ issuers: isLookUp ? find : [corp.record()] });
    await jwt.verify(corp.token());
    const verify = (token: string) => jwt.verify(token);

    // Fills the caches.
    await flood(verify, corp.token(), 50_000);
    // In some rounds V8 enlarges its young generation, to 128 MB in Node.js 24. A leak would show in all rounds.
    const grown = { heapUsed: [] as number[], rss: [] as number[] };
    for (let round = 0; round < 5 && !grown.rss.some((bytes) => bytes < 5 * MEGABYTE); round += 1) {
      const before = await memory();
      expect(await flood(verify, corp.token(), 100_000)).toEqual(['TokenClaimError']);
      const after = await memory();
      grown.heapUsed.push(after.heapUsed - before.heapUsed);
      grown.rss.push(after.rss - before.rss);
    }
    expect(corp.requests).toEqual(['/jwks.json']);
    expect(Math.max(...grown.heapUsed)).toBeLessThan(MEGABYTE);
    expect(Math.min(...grown.rss)).toBeLessThan(5 * MEGABYTE);
    await expect(jwt.verify(corp.token())).resolves.toBeDefined();
    await expect(jwt.verify(corp.token({ iss: 'https://random.example' }))).rejects.toMatchObject(
      mismatch('iss'),
    );
  },
);

test('displaced issuers retain no memory', { timeout: 60_000 }, async () => {
  const server = await startIssuer();
  const keys = { jwks: server.keySet };
  const issuers = async (issuer: string) => server.record({ issuer, keys });
  const { jwt } = await startService({ issuers, limits: { timeout: 2000, maxIssuers: 10 } });
  const verifyMany = async (count: number) => {
    for (let n = 0; n < count; n += 1)
      await jwt.verify(server.token({ iss: `https://${Math.random()}.example` }));
  };
  await verifyMany(500);
  const { heapUsed } = await memory();
  await verifyMany(2000);
  expect((await memory()).heapUsed - heapUsed).toBeLessThan(2 * MEGABYTE);
});
