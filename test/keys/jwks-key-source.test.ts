import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { keysIn } from '../../src/jwt/jwk.js';
import { JwksKeySource } from '../../src/keys/jwks-key-source.js';
import { newKeyPair } from '../support/forge.js';

const jwk = (kid?: string) => ({ ...newKeyPair().publicKey.export({ format: 'jwk' }), ...(kid && { kid }) });
const KEY_SET = JSON.stringify({ keys: [jwk('one')] });

let server: Server;
let listener: RequestListener;
let uri: string;

beforeEach(async () => {
  server = createServer((request, response) => listener(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  answerWith(KEY_SET);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

interface Answer {
  status?: number;
  headers?: Record<string, string>;
}

function answerWith(body: string, { status = 200, headers = {} }: Answer = {}): void {
  listener = (_, response) => response.writeHead(status, headers).end(body);
}
const SETTINGS = { timeout: 2000, refreshInterval: 300, maxStale: 864_000, algorithms: [ES256] };
const source = (timeout = 2000) => new JwksKeySource(uri, { ...SETTINGS, timeout });
const sourceWith = (fetcher: typeof fetch) => new JwksKeySource(uri, SETTINGS, undefined, fetcher);
const load = () => source().load();

test('supplies the keys of the set, and no signing key', async () => {
  const { others, signing, freshFor } = await load();
  expect(others.map(({ kid }) => kid)).toEqual(['one']);
  expect({ signing, freshFor }).toEqual({ signing: undefined, freshFor: 300 });
});

test('requests the media types of a key set', async () => {
  let accept: string | undefined;
  listener = (request, response) => {
    ({ accept } = request.headers);
    response.end(KEY_SET);
  };
  await load();
  expect(accept).toBe('application/jwk-set+json, application/json');
});

describe('a key set is fresh', () => {
  test.each<[string, string | undefined, number]>([
    ['for its max-age', 'public, max-age=600', 600],
    ['for its max-age in any case', 'Max-Age=600', 600],
    ['for refreshInterval without Cache-Control', undefined, 300],
    ['for refreshInterval without max-age', 'public', 300],
    ['for 30 seconds with no-store', 'no-store', 30],
    ['for 30 seconds with no-cache', 'no-cache, max-age=600', 30],
    ['regardless of s-maxage', 's-maxage=600', 300],
    ['for 30 seconds at least', 'max-age=0', 30],
    ['for a day at most', 'max-age=31536000', 86_400],
    ['for refreshInterval with an invalid max-age', 'max-age=-1', 300],
  ])('%s: %s', async (_, cacheControl, expected) => {
    answerWith(KEY_SET, { headers: cacheControl ? { 'cache-control': cacheControl } : {} });
    expect((await load()).freshFor).toBe(expected);
  });
});

test('the key set is fetched at least four times in maxStale', async () => {
  answerWith(KEY_SET, { headers: { 'cache-control': 'max-age=86400' } });
  const { freshFor } = await new JwksKeySource(uri, { ...SETTINGS, maxStale: 3600 }).load();
  expect(freshFor).toBe(900);
});

test('an answer after the timeout drops no key', async () => {
  let time = 0;
  const clock = { monotonic: () => time };
  const late = new JwksKeySource(uri, { ...SETTINGS, timeout: 200 }, clock);
  await late.load();
  answerWith('{"keys":[]}');
  expect((await late.load()).others).toHaveLength(1);
  time = 30_000;
  listener = (_, response) => {
    response.write('{"keys":');
    setTimeout(() => response.end('[]}'), 400);
  };
  await expect(late.load()).rejects.toMatchObject({ name: 'JwksUnavailableError' });
  await new Promise((resolve) => setTimeout(resolve, 400));
  answerWith(KEY_SET);
  expect((await late.load()).others).toHaveLength(1);
});

test('the Age header shortens the freshness', async () => {
  answerWith(KEY_SET, { headers: { 'cache-control': 'max-age=300', age: '200' } });
  expect((await load()).freshFor).toBe(100);
});

describe('of the keys in a set', () => {
  test('those that cannot verify tokens are ignored', () => {
    const usable = { ...jwk('usable'), alg: 'ES256', use: 'sig', key_ops: ['verify'] };
    const others = [
      jwk(),
      jwk(''),
      jwk('x'.repeat(257)),
      { ...jwk('for-encryption'), use: 'enc' },
      { ...jwk('to-derive'), key_ops: ['deriveKey'] },
      { ...jwk('another-algorithm'), alg: 'RS256' },
      { ...jwk('off-the-curve'), x: jwk().y },
      { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'rsa' },
      { kty: 'oct', k: 'c2VjcmV0', kid: 'secret', alg: 'HS256' },
      { kty: 'EC', crv: 'P-521', kid: 'another-curve' },
      null,
      'key',
    ];
    expect(keysIn({ keys: [...others, usable] }).map(({ kid }) => kid)).toEqual(['usable']);
  });

  test('private members are dropped', async () => {
    const pair = newKeyPair().privateKey.export({ format: 'jwk' });
    answerWith(JSON.stringify({ keys: [{ ...pair, kid: 'leaked' }] }));
    const [key] = (await load()).others;
    expect(Object.keys(key?.jwk ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(key?.publicKey).toMatchObject({ type: 'public' });
  });
});

const unavailable = (message: RegExp) => ({
  name: 'JwksUnavailableError',
  code: 'jwks_unavailable',
  retryable: true,
  message: expect.stringMatching(message),
});

describe('the key set is unavailable', () => {
  test.each<[string, string]>([
    ['not JSON', '<html>'],
    ['empty', ''],
  ])('when the answer is %s', async (_, body) => {
    answerWith(body);
    await expect(load()).rejects.toMatchObject(unavailable(/its answer is not JSON; check the path$/));
  });

  test.each<[string, string]>([
    ['a string', '"keys"'],
    ['not a key set', '{"keys":{}}'],
    ['an empty set', '{"keys":[]}'],
    ['a set without a usable key', JSON.stringify({ keys: [jwk()] })],
  ])('when the answer is %s', async (_, body) => {
    answerWith(body);
    await expect(load()).rejects.toMatchObject(unavailable(/contains no key for ES256/));
  });

  test.each([404, 500, 503])('when the status is %i, even with a valid body', async (status) => {
    answerWith(KEY_SET, { status });
    await expect(load()).rejects.toMatchObject(unavailable(new RegExp(`answered ${status}`)));
  });

  test('when the answer is a redirect', async () => {
    let isFollowed = false;
    listener = (request, response) => {
      if (request.url === '/elsewhere') isFollowed = true;
      response.writeHead(302, { location: '/elsewhere' }).end();
    };
    await expect(load()).rejects.toMatchObject(unavailable(/answered 302, and redirects are not followed/));
    expect(isFollowed).toBe(false);
  });

  test('when the answer is endless, and only 256 KB are read', async () => {
    let sent = 0;
    const closed = new Promise<void>((resolve) => {
      listener = (_, response) => {
        response.on('close', resolve);
        const more = () => {
          while (!response.destroyed && response.write(' '.repeat(65_536))) sent += 65_536;
        };
        response.on('drain', more);
        more();
      };
    });
    await expect(load()).rejects.toMatchObject(unavailable(/more than 262144 bytes/));
    await closed;
    // Socket buffers hold more than is read.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  test.each<[string, RequestListener]>([
    ['does not begin', () => {}],
    ['does not end', (_, response) => void response.write('{"keys":[')],
  ])('when the answer %s in time', async (_, slow) => {
    let isClosed = false;
    listener = (request, response) => {
      request.on('close', () => (isClosed = true));
      slow(request, response);
    };
    const started = performance.now();
    await expect(source(100).load()).rejects.toMatchObject(unavailable(/did not answer within 100 ms/));
    expect(performance.now() - started).toBeLessThan(1000);
    await expect.poll(() => isClosed).toBe(true);
  });
});

const refuse: typeof fetch = () =>
  Promise.reject(
    Object.assign(new TypeError('fetch failed: https://s3cret@issuer.example'), { request: 's3cret' }),
  );

const causeOf = (from = source()) =>
  from.load().then(
    () => undefined,
    (error: Error) => error.cause,
  );

describe('the cause of the error', () => {
  test('has the name of the foreign error, and the code of the network error inside it', async () => {
    server.close();
    expect(await causeOf()).toMatchObject({ name: 'TypeError', code: 'ECONNREFUSED' });
  });

  test('has its own code, if it has one', async () => {
    const error = Object.assign(new Error('connect'), {
      code: 'ETIMEDOUT',
      cause: Object.assign(new Error(), { code: 'EPIPE' }),
    });
    expect(await causeOf(sourceWith(() => Promise.reject(error)))).toMatchObject({ code: 'ETIMEDOUT' });
  });

  test.each<[string, () => Promise<JwksKeySource>]>([
    [
      'the body',
      async () => {
        answerWith('<html>s3cret</html>');
        return source();
      },
    ],
    [
      'the query of the URL',
      async () => new JwksKeySource(`${uri}?token=s3cret`, SETTINGS, undefined, refuse),
    ],
    ['the request', async () => sourceWith(refuse)],
  ])('does not quote %s, nor does the error', async (_, from) => {
    const error = await (await from()).load().catch((reason: unknown) => reason);
    expect(error).toMatchObject(unavailable(/jwks\.json is unavailable: /));
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('s3cret');
  });

  test('has only the name of the error', async () => {
    expect(await causeOf(sourceWith(() => Promise.reject(new RangeError('s3cret'))))).toMatchObject({
      name: 'RangeError',
      message: 'Omitted, as it may quote the URL or the key set',
    });
  });
});
