import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startIssuer, type TestIssuer } from '../support/issuer.js';
import { errorOf, start } from './issuers.support.js';

const HOUR_MS = 3_600_000;
const silent = () => {};
const UNAVAILABLE = { name: 'JwksUnavailableError' };

/** Writes a snapshot of the key set with this age in hours; negative for the future. */
function snapshotOf(issuer: TestIssuer, hours: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'snapshot-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'jwks.json');
  const fetchedAt = new Date(Date.now() - hours * HOUR_MS).toISOString();
  writeFileSync(path, JSON.stringify({ fetchedAt, ...issuer.keySet }));
  return path;
}

/** A service with a snapshot of the issuer's keys. */
async function startWith(issuer: TestIssuer, hours: number, options = {}) {
  const keys = { jwksUri: issuer.jwksUri, snapshot: snapshotOf(issuer, hours) };
  const issuers = [issuer.record({ name: 'corp', keys })];
  return start({ issuers, limits: { timeout: 300 }, ...options });
}

const staleIn = (jwt: Awaited<ReturnType<typeof start>>['jwt']) =>
  jwt.health().issuers?.['corp']?.staleIn ?? -1;

describe('a snapshot', () => {
  test.each([false, true])(
    'verifies from the start, and is refreshed in the background: lazy %j',
    async (lazy) => {
      const corp = await startIssuer();
      const answers: (() => void)[] = [];
      corp.fault = (_, response) => void answers.push(() => response.end(JSON.stringify(corp.keySet)));
      const { jwt } = await startWith(corp, 1, { lazy });
      await expect(jwt.verify(corp.token())).resolves.toBeDefined();
      await expect.poll(() => answers.length).toBe(1);
      expect(staleIn(jwt)).toBeLessThanOrEqual(23 * 3600);
      answers[0]?.();
      await expect.poll(() => staleIn(jwt)).toBeGreaterThan(23.9 * 3600);
      expect(corp.fetches).toBe(1);
    },
  );

  test('keeps its age for maxStale', async () => {
    const corp = await startIssuer();
    corp.fault = silent;
    const { jwt } = await startWith(corp, 23);
    expect(staleIn(jwt)).toBeGreaterThan(3500);
    expect(staleIn(jwt)).toBeLessThanOrEqual(3600);
    expect(jwt.health().issuers?.['corp']).toMatchObject({ stale: true, keys: ['a'] });
  });

  test('that is up to five minutes in the future counts as current', async () => {
    const corp = await startIssuer();
    corp.fault = silent;
    const { jwt } = await startWith(corp, -4.9 / 60);
    expect(staleIn(jwt)).toBeLessThanOrEqual(24 * 3600);
    await expect(jwt.verify(corp.token())).resolves.toBeDefined();
  });

  test('that is further in the future is not used, because it would count as current at each start', async () => {
    const corp = await startIssuer();
    const { jwt, lines } = await startWith(corp, -5.1 / 60);
    expect(lines.join('\n')).toContain('The snapshot of the issuer corp has a fetchedAt in the future');
    await expect(jwt.verify(corp.token())).resolves.toBeDefined();
    corp.fault = silent;
    const { jwt: offline } = await startWith(corp, -5.1 / 60);
    await expect(offline.verify(corp.token())).rejects.toMatchObject(UNAVAILABLE);
  });

  test('that is too old is not used: tokens wait for the first fetch', async () => {
    const corp = await startIssuer();
    const { jwt, lines } = await startWith(corp, 25);
    expect(lines.join('\n')).toContain('The snapshot of the issuer corp is older than rotation.maxStale');
    await expect(jwt.verify(corp.token())).resolves.toBeDefined();
    corp.fault = silent;
    const { jwt: offline } = await startWith(corp, 25);
    await expect(offline.verify(corp.token())).rejects.toMatchObject(UNAVAILABLE);
  });

  test('without the key of a token causes a fetch, and an outage is a JwksUnavailableError', async () => {
    const corp = await startIssuer();
    const { jwt } = await startWith(corp, 1);
    corp.add('b');
    await expect(jwt.verify(corp.token({}, { kid: 'b' }))).resolves.toBeDefined();
    const { jwt: offline } = await startWith(corp, 1, { lazy: true });
    corp.fault = silent;
    await expect(offline.verify(corp.token({}, { kid: 'c' }))).rejects.toMatchObject(UNAVAILABLE);
    await expect(offline.verify(corp.token())).resolves.toBeDefined();
  });

  test('may have a removed key, which is dropped after two answers, like any other', async () => {
    const corp = await startIssuer('a', 'b');
    const path = snapshotOf(corp, 1);
    corp.remove('b');
    const keys = { jwksUri: corp.jwksUri, snapshot: path };
    const { jwt } = await start({ issuers: [corp.record({ name: 'corp', keys })] });
    await jwt.verify(corp.token());
    await expect.poll(() => jwt.health().issuers?.['corp']?.stale).toBe(false);
    expect(jwt.health().issuers?.['corp']?.keys).toEqual(['a', 'b']);
  });

  test('that is missing stops the app with a remedy', async () => {
    const corp = await startIssuer();
    const keys = { jwksUri: corp.jwksUri, snapshot: './missing.json' };
    expect(await errorOf(start({ issuers: [corp.record({ keys })] }))).toMatchObject({
      name: 'KmsJwtOptionsError',
      message: expect.stringMatching(
        /\.\/missing\.json\) cannot be read .*write the key set into it/,
      ) as string,
    });
  });
});
