import { describe, expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { DiscoveryKeySource } from '../../src/keys/discovery-key-source.js';
import { isAllowedJwksUri } from '../../src/options/read-issuers.js';
import { OAUTH, startIssuer, type TestIssuer } from '../support/issuer.js';

const OPENID = '/.well-known/openid-configuration';
const SETTINGS = { timeout: 500, refreshInterval: 300, maxStale: 86_400, algorithms: [ES256] };
const DAY_MS = 86_400_000;

/** A source with a clock that the test controls. */
function sourceOf(server: TestIssuer, { path = '', allowInsecureHttp = false } = {}) {
  const time = { now: 0 };
  const issuer = server.url + path;
  const isAllowed = (uri: unknown): uri is string => isAllowedJwksUri(uri, { issuer, allowInsecureHttp });
  const clock = { monotonic: () => time.now };
  const source = new DiscoveryKeySource(issuer, { ...SETTINGS, isAllowed }, clock);
  return { time, source, kids: async () => (await source.load()).others.map(({ kid }) => kid) };
}

const unavailable = (message: RegExp) => ({
  name: 'JwksUnavailableError',
  message: expect.stringMatching(message) as string,
});

/** Answers each path with its document; 404 elsewhere. */
function serve(server: TestIssuer, documents: Record<string, object>): void {
  server.fault = ({ url = '' }, response) =>
    void response.writeHead(documents[url] ? 200 : 404).end(JSON.stringify(documents[url] ?? {}));
}

describe('the metadata', () => {
  test('of an OpenID Provider supply the URL of the key set', async () => {
    const server = await startIssuer('a', 'b');
    expect(await sourceOf(server).kids()).toEqual(['a', 'b']);
    expect(server.requests).toEqual([OPENID, '/jwks.json']);
  });

  test.each<[string, string, string, string]>([
    ['an OpenID Provider', '', '/tenant', `/tenant${OPENID}`],
    ['an OpenID Provider whose issuer ends with a slash', '/', '/tenant', `/tenant${OPENID}`],
    ['an authorization server of RFC 8414', '', '/tenant', `${OAUTH}/tenant`],
    ['an authorization server of RFC 8414 whose issuer ends with a slash', '/', '/tenant', `${OAUTH}/tenant`],
    ['an authorization server of RFC 8414 without a path', '', '', OAUTH],
  ])('are found at the URL for %s', async (_, slash, path, place) => {
    const server = await startIssuer();
    const issuer = server.url + path + slash;
    serve(server, { [place]: { issuer, jwks_uri: server.jwksUri }, '/jwks.json': server.keySet });
    expect(await sourceOf(server, { path: path + slash }).kids()).toEqual(['a']);
    expect(server.requests.at(-2)).toBe(place);
  });

  test.each<[string, object]>([
    ['another issuer', { issuer: 'https://other.example' }],
    ['the issuer with a slash', { issuer: 'URL/' }],
    ['no issuer', { issuer: undefined }],
    ['the issuer in an array', { issuer: ['URL'] }],
  ])('that name %s are refused, and no key set is fetched', async (_, metadata) => {
    const server = await startIssuer();
    server.metadata = JSON.parse(JSON.stringify(metadata).replace('URL', server.url)) as object;
    if ('issuer' in metadata && metadata.issuer === undefined) server.metadata = { issuer: null };
    await expect(sourceOf(server).kids()).rejects.toMatchObject(
      unavailable(/its issuer does not match the expected issuer/),
    );
    expect(server.fetches).toBe(0);
  });

  test.each([
    undefined,
    null,
    42,
    '',
    'jwks.json',
    'http://keys.example/jwks',
    'file:///etc/keys',
    'data:,{}',
  ])('whose jwks_uri is %j are refused', async (uri) => {
    const server = await startIssuer();
    server.metadata = { jwks_uri: uri ?? null };
    await expect(sourceOf(server).kids()).rejects.toMatchObject(unavailable(/jwks_uri is not an https URL/));
  });

  test('from an https URL must not name a loopback URL', () => {
    const ofTenant = { issuer: 'https://tenant.example', allowInsecureHttp: false };
    expect(isAllowedJwksUri('http://127.0.0.1:9200/', ofTenant)).toBe(false);
    expect(isAllowedJwksUri('http://localhost/', ofTenant)).toBe(false);
    expect(isAllowedJwksUri('https://keys.example/', ofTenant)).toBe(true);
    expect(isAllowedJwksUri('http://127.0.0.1/', { ...ofTenant, issuer: 'http://127.0.0.1:81' })).toBe(true);
  });

  test.each([['[]'], ['null'], ['"a"'], ['<html>'], ['']])('that are %j are refused', async (body) => {
    const server = await startIssuer();
    server.fault = (_, response) => void response.end(body);
    await expect(sourceOf(server).kids()).rejects.toMatchObject(unavailable(/^The metadata http/));
  });

  test('are fetched again after a day, and not before', async () => {
    const server = await startIssuer();
    const { time, kids } = sourceOf(server);
    await kids();
    time.now = DAY_MS;
    await kids();
    expect(server.requests.filter((path) => path === OPENID)).toHaveLength(1);
    time.now = DAY_MS + 1;
    await kids();
    expect(server.requests.filter((path) => path === OPENID)).toHaveLength(2);
  });

  test('that can no longer be fetched leave the URL of the key set unchanged', async () => {
    const server = await startIssuer();
    const { time, kids } = sourceOf(server);
    await kids();
    time.now = 2 * DAY_MS;
    serve(server, { '/jwks.json': server.keySet });
    expect(await kids()).toEqual(['a']);
  });
});

describe('when the metadata become invalid', () => {
  test.each<[string, (server: TestIssuer) => void, RegExp]>([
    ['because they are gone', (server) => serve(server, { '/jwks.json': server.keySet }), /answered 404/],
    [
      'because they name another issuer',
      (server) => (server.metadata = { issuer: 'https://other.example' }),
      /its issuer does not match the expected issuer/,
    ],
    [
      'because they name a refused URL',
      (server) => (server.metadata = { jwks_uri: 'http://keys.example/' }),
      /jwks_uri is not an https URL/,
    ],
  ])(
    '%s, the former URL supplies keys for maxStale, and the problem is reported',
    async (_, spoil, problem) => {
      const server = await startIssuer();
      const { time, source, kids } = sourceOf(server);
      expect(await source.load()).not.toHaveProperty('problem');
      spoil(server);
      time.now = DAY_MS;
      expect(await source.load()).not.toHaveProperty('problem');
      for (const now of [DAY_MS + 1, DAY_MS + SETTINGS.maxStale * 1000]) {
        time.now = now;
        const { others, problem: found } = await source.load();
        expect(others.map(({ kid }) => kid)).toEqual(['a']);
        expect(found).toMatchObject(unavailable(problem));
      }
      time.now += 1;
      await expect(kids()).rejects.toMatchObject(unavailable(problem));
      server.fault = undefined;
      server.metadata = {};
      expect(await source.load()).not.toHaveProperty('problem');
    },
  );
});

describe('when the URL of the key set has changed', () => {
  test('missing metadata are requested until they are available', async () => {
    const server = await startIssuer();
    const { source } = sourceOf(server);
    await source.load();
    serve(server, {});
    await expect(source.load()).rejects.toMatchObject(unavailable(/^The key set .* answered 404/));
    serve(server, { '/jwks.json': server.keySet });
    for (let load = 0; load < 2; load += 1) {
      expect((await source.load()).problem).toMatchObject(unavailable(/^The metadata .* answered 404/));
    }
    server.fault = undefined;
    const before = server.requests.length;
    for (let load = 0; load < 2; load += 1) expect(await source.load()).not.toHaveProperty('problem');
    expect(server.requests.slice(before)).toEqual([OPENID, '/jwks.json', '/jwks.json']);
  });

  test('the new URL is looked up after the first failure', async () => {
    const server = await startIssuer();
    const { kids } = sourceOf(server);
    await kids();
    serve(server, { [OPENID]: { issuer: server.url, jwks_uri: `${server.url}/new` }, '/new': server.keySet });
    await expect(kids()).rejects.toMatchObject(unavailable(/answered 404/));
    expect(await kids()).toEqual(['a']);
    expect(server.requests.slice(2)).toEqual(['/jwks.json', OPENID, '/new']);
  });

  test('a key that the new set lacks is dropped after two answers, like any other', async () => {
    const server = await startIssuer('a', 'b');
    const { time, kids } = sourceOf(server);
    await kids();
    server.remove('b');
    serve(server, { [OPENID]: { issuer: server.url, jwks_uri: `${server.url}/new` }, '/new': server.keySet });
    await expect(kids()).rejects.toThrow();
    expect(await kids()).toEqual(['a', 'b']);
    time.now += 30_000;
    expect(await kids()).toEqual(['a']);
  });
});

describe('the time limit for metadata and key set together', () => {
  test('leaves no time for the second metadata URL of a silent issuer', async () => {
    const server = await startIssuer();
    server.fault = () => {};
    await expect(sourceOf(server).kids()).rejects.toMatchObject(
      unavailable(/^The metadata .*openid-configuration is unavailable: it did not answer within 500 ms/),
    );
    expect(server.requests).toEqual([OPENID]);
  });

  test('leaves the key set only the time that the metadata did not take', async () => {
    const server = await startIssuer();
    server.fault = ({ url }, response) => {
      const body = JSON.stringify({ issuer: server.url, jwks_uri: server.jwksUri });
      if (url === OPENID) setTimeout(() => response.end(body), 250);
    };
    const message = await sourceOf(server)
      .kids()
      .catch((error: Error) => error.message);
    const limit = /^The key set .* did not answer within (\d+) ms/.exec(String(message))?.[1];
    expect(Number(limit)).toBeLessThanOrEqual(251);
    expect(server.requests).toEqual([OPENID, '/jwks.json']);
  });

  test('leaves time to fetch a known key set when the metadata URL does not answer', async () => {
    const server = await startIssuer();
    const { time, kids } = sourceOf(server);
    await kids();
    time.now = 2 * DAY_MS;
    server.add('b');
    server.fault = ({ url }, response) => {
      if (url === '/jwks.json') response.end(JSON.stringify(server.keySet));
    };
    expect(await kids()).toEqual(['a', 'b']);
    expect(server.requests.slice(2)).toEqual([OPENID, '/jwks.json']);
  });
});
