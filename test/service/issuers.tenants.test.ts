import { EventEmitter, once } from 'node:events';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startIssuer, type TestIssuer } from '../support/issuer.js';
import { errorOf, mismatch, startService } from './issuers.support.js';

const UNAVAILABLE = { name: 'IssuerUnavailableError', code: 'issuer_unavailable', retryable: true };
const MISTAKE = { name: 'KmsJwtOptionsError' };

/** A service with a function for its issuers, which records its arguments. */
async function startWith(
  find: (iss: string) => unknown,
  { maxIssuers = 1000, ...options }: { maxIssuers?: number } & Record<string, unknown> = {},
) {
  const asked: string[] = [];
  const issuers = async (iss: string) => {
    asked.push(iss);
    return (await find(iss)) as undefined;
  };
  return { asked, ...(await startService({ issuers, limits: { timeout: 500, maxIssuers }, ...options })) };
}

/** Tokens of tenants of one server, each with a separate iss. */
const tenantOf = (server: TestIssuer) => (iss: string) =>
  iss.startsWith(`${server.url}/`) ? server.record({ issuer: iss }) : undefined;
const tokenOf = (server: TestIssuer, n: number) => server.token({ iss: `${server.url}/${n}` });

/** The intervals between two calls for the same issuer. */
const pausesOf = (times: Map<string, number[]>) =>
  [...times.values()].flatMap((of) => of.slice(1).map((time, index) => time - (of[index] ?? 0)));

/** A function that does not answer until it is released. */
function held<Answer>(answer: Answer) {
  const gate = new EventEmitter();
  const released = once(gate, 'release');
  return { find: () => released.then(() => answer), release: () => gate.emit('release') };
}

describe('a function for issuers', () => {
  test('is called once per issuer, for any number of tokens', async () => {
    const corp = await startIssuer();
    const { asked, jwt } = await startWith((iss) => (iss === corp.url ? corp.record() : undefined));
    await Promise.all(Array.from({ length: 50 }, () => jwt.verify(corp.token())));
    await jwt.verify(corp.token());
    expect(asked).toEqual([corp.url]);
    expect(corp.fetches).toBe(1);
  });

  test('is not called for the own issuer, nor for invalid iss', async () => {
    const corp = await startIssuer();
    const { asked, jwt } = await startWith(() => undefined);
    await jwt.verify(await jwt.sign({}));
    for (const iss of [undefined, null, 42, 'x'.repeat(2049)]) {
      await expect(jwt.verify(corp.token({ iss }))).rejects.toMatchObject({ claim: 'iss' });
    }
    expect(asked).toEqual([]);
  });

  test('is called for an unknown issuer once in 30 seconds', async () => {
    const time = vi.spyOn(performance, 'now');
    onTestFinished(() => time.mockRestore());
    const corp = await startIssuer();
    const { asked, jwt } = await startWith(() => undefined);
    const refused = () => expect(jwt.verify(corp.token())).rejects.toMatchObject(mismatch('iss'));
    for (let call = 0; call < 10; call += 1) await refused();
    expect(asked).toHaveLength(1);
    const later = performance.now() + 30_100;
    time.mockReturnValue(later);
    // The cache reads the clock at most once per millisecond.
    const ask = async () => {
      await refused();
      return asked.length;
    };
    await expect.poll(ask).toBe(2);
  });

  test.each<[string, unknown, object]>([
    ['null', null, mismatch('iss')],
    ['undefined', undefined, mismatch('iss')],
    ['a string', 'https://login.example', MISTAKE],
    ['false', false, MISTAKE],
    ['a record without algorithms', { issuer: 'https://a.example' }, MISTAKE],
  ])('that returns %s has the token refused', async (_, answer, expected) => {
    const corp = await startIssuer();
    const { jwt } = await startWith(() => answer);
    await expect(jwt.verify(corp.token())).rejects.toMatchObject(expected);
  });

  test('that returns the record of another issuer has the token refused, which is logged once', async () => {
    const [corp, other] = [await startIssuer(), await startIssuer()];
    const { asked, jwt, lines } = await startWith(() => other.record());
    await expect(jwt.verify(corp.token())).rejects.toMatchObject(mismatch('iss'));
    await expect(jwt.verify(other.token({ iss: corp.url }))).rejects.toMatchObject(mismatch('iss'));
    expect(asked).toHaveLength(1);
    expect(lines.filter((line) => line.includes('compare iss exactly'))).toHaveLength(1);
  });

  test('that ignores case accepts only the exact issuer', async () => {
    const corp = await startIssuer();
    const { jwt } = await startWith((iss) => (iss.toLowerCase() === corp.url ? corp.record() : undefined));
    await expect(jwt.verify(corp.token({ iss: corp.url.toUpperCase() }))).rejects.toMatchObject(
      mismatch('iss'),
    );
    await expect(jwt.verify(corp.token())).resolves.toMatchObject({ iss: corp.url });
  });

  test.each(['own', 'tenant'])('cannot give two issuers the name %s', async (name) => {
    const [one, other] = [await startIssuer(), await startIssuer()];
    const { jwt } = await startWith((iss) => [one, other].find(({ url }) => url === iss)?.record({ name }));
    const first = await errorOf(jwt.verify(one.token()));
    if (name === 'own') expect(first).toMatchObject(MISTAKE);
    await expect(jwt.verify(other.token())).rejects.toMatchObject(MISTAKE);
  });

  test('that throws makes new issuers unavailable without quoting the error, and is called again', async () => {
    const [corp, late] = [await startIssuer(), await startIssuer()];
    let isDown = false;
    const { jwt } = await startWith((iss) => {
      if (isDown) throw new Error(`SELECT ${iss}`);
      return [corp, late].find(({ url }) => url === iss)?.record();
    });
    await jwt.verify(corp.token());
    isDown = true;
    const error = await errorOf(jwt.verify(late.token()));
    expect(error).toMatchObject(UNAVAILABLE);
    expect(inspect(error, { depth: 9 })).not.toContain(late.url);
    await expect(jwt.verify(corp.token())).resolves.toBeDefined();
    isDown = false;
    await expect(jwt.verify(late.token())).resolves.toBeDefined();
  });

  test('that hangs makes new issuers unavailable within limits.timeout', async () => {
    const corp = await startIssuer();
    const { jwt } = await startWith(() => new Promise(() => {}), { limits: { timeout: 100 } });
    await expect(jwt.verify(corp.token())).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: 'The function issuers did not answer within 100 ms',
    });
  });

  test('runs for ten issuers at a time: further unknown ones are unavailable at once', async () => {
    const corp = await startIssuer();
    const { find, release } = held(undefined);
    const known = await startIssuer();
    const { asked, jwt } = await startWith((iss) => (iss === known.url ? known.record() : find()));
    await jwt.verify(known.token());
    const ten = Array.from({ length: 10 }, (_, n) => errorOf(jwt.verify(tokenOf(corp, n))));
    await expect(jwt.verify(tokenOf(corp, 10))).rejects.toMatchObject(UNAVAILABLE);
    // A token of an issuer in a lookup waits for it, and a known issuer needs no lookup.
    const again = errorOf(jwt.verify(tokenOf(corp, 0)));
    await expect(jwt.verify(known.token())).resolves.toBeDefined();
    release();
    for (const error of await Promise.all([...ten, again])) expect(error).toMatchObject(mismatch('iss'));
    expect(asked).toHaveLength(11);
    await expect(jwt.verify(tokenOf(corp, 10))).rejects.toMatchObject(mismatch('iss'));
  });
});

describe('of the found issuers', () => {
  test('maxIssuers are kept, and the least recently used is displaced first', async () => {
    const server = await startIssuer();
    const { asked, jwt } = await startWith(tenantOf(server), { maxIssuers: 2 });
    for (const n of [1, 2, 1, 3, 1, 2]) await jwt.verify(tokenOf(server, n));
    expect(asked.map((iss) => iss.split('/').at(-1))).toEqual(['1', '2', '3', '2']);
    expect(Object.keys(jwt.health().issuers ?? {})).toHaveLength(2);
  });

  test('none is displaced by random iss', async () => {
    const server = await startIssuer();
    const { asked, jwt } = await startWith(tenantOf(server), { maxIssuers: 2 });
    await jwt.verify(tokenOf(server, 1));
    for (let n = 0; n < 2000; n += 1)
      await errorOf(jwt.verify(server.token({ iss: `https://${n}.example` })));
    await jwt.verify(tokenOf(server, 1));
    expect(asked.filter((iss) => iss === `${server.url}/1`)).toHaveLength(1);
  });

  test('one that is displaced during the verification of its token still verifies it', async () => {
    const server = await startIssuer();
    const { jwt } = await startWith(tenantOf(server), { maxIssuers: 1 });
    const all = Array.from({ length: 5 }, (_, n) => jwt.verify(tokenOf(server, n)));
    await expect(Promise.all(all)).resolves.toHaveLength(5);
  });

  test('a displaced one is no longer fetched', async () => {
    const [gone, kept] = [await startIssuer(), await startIssuer()];
    const records = [gone, kept].map((one) => one.record());
    const { jwt } = await startWith((iss) => records.find(({ issuer }) => issuer === iss), {
      maxIssuers: 1,
      rotation: { refreshInterval: 1, maxStale: 4 },
    });
    await jwt.verify(gone.token());
    await jwt.verify(kept.token());
    await expect.poll(() => kept.fetches, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(gone.fetches).toBe(1);
  });

  test(
    '1,000 are looked up and fetched once each, and once each per refresh',
    { timeout: 60_000 },
    async () => {
      const server = await startIssuer();
      const fetchedAt = new Map<string, number[]>();
      server.fault = ({ url = '' }, response) => {
        fetchedAt.set(url, [...(fetchedAt.get(url) ?? []), performance.now()]);
        response.end(JSON.stringify(server.keySet));
      };
      const askedAt = new Map<string, number[]>();
      const find = (iss: string) => {
        askedAt.set(iss, [...(askedAt.get(iss) ?? []), performance.now()]);
        return server.record({
          issuer: iss,
          keys: { jwksUri: `${server.jwksUri}?${iss.split('/').at(-1)}` },
        });
      };
      const rotation = { refreshInterval: 4, maxStale: 86_400 };
      const { jwt } = await startWith(find, { rotation, limits: { timeout: 10_000 } });
      const tokens = Array.from({ length: 1000 }, (_, n) => tokenOf(server, n));
      for (let n = 0; n < 1000; n += 10) {
        const some = tokens.slice(n, n + 10);
        await Promise.all([...some, ...some].map((token) => jwt.verify(token)));
      }
      await Promise.all(tokens.map((token) => jwt.verify(token)));
      expect(askedAt.size).toBe(1000);
      expect(fetchedAt.size).toBe(1000);

      const leastFetches = () => Math.min(...[...fetchedAt.values()].map((times) => times.length));
      await expect.poll(leastFetches, { timeout: 30_000 }).toBe(2);
      // A refresh is due after 4 seconds, or up to 10 % earlier.
      expect(Math.min(...pausesOf(fetchedAt))).toBeGreaterThan(3500);
      await Promise.all(tokens.map((token) => jwt.verify(token)));
      expect(Math.min(...[...askedAt.values()].map(({ length }) => length))).toBeGreaterThan(1);
      expect(Math.min(...pausesOf(askedAt))).toBeGreaterThan(3900);
    },
  );
});

describe('at shutdown', () => {
  test('a lookup in progress is completed, and nothing is fetched afterwards', async () => {
    const corp = await startIssuer();
    const { find, release } = held(corp.record());
    const rotation = { refreshInterval: 1, maxStale: 4 };
    const { jwt, stop } = await startWith(find, { rotation });
    const verified = jwt.verify(corp.token());
    await stop();
    release();
    await expect(verified).resolves.toBeDefined();
    const server = await startIssuer();
    const { jwt: other } = await startService({ issuers: [server.record()], rotation });
    await other.verify(server.token());
    await expect.poll(() => server.fetches, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(corp.fetches).toBe(1);
  });
});
