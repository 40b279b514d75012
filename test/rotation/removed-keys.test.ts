import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Issuer, JWKS_URI, NO_ANSWERS } from './issuer.js';
import { DAY, HOUR, type Instance, pass, published, Simulation } from './simulation.js';

/** The longest time until the next fetch, and until its confirmation: 300 and 30 seconds, plus jitter. */
const FETCH = 330;
const CONFIRMATION = 37;

let simulation: Simulation;
let issuer: Issuer;
let instance: Instance;

beforeEach(async () => {
  simulation = new Simulation();
  issuer = new Issuer();
  instance = await simulation.start({ jwksUri: JWKS_URI });
});
afterEach(async () => {
  await simulation.stop();
  vi.unstubAllGlobals();
});

const accepts = (kid: string) =>
  expect(instance.jwt.verify(issuer.token(kid))).resolves.toMatchObject({ sub: kid });
const refuses = (kid: string, name = 'TokenKeyUnknownError') =>
  expect(instance.jwt.verify(issuer.token(kid))).rejects.toMatchObject({ name });

describe('a key that the issuer removes', () => {
  test.each<[string, string[]]>([
    ['alone', ['b']],
    ['with all others', []],
    ['in exchange for another', ['c']],
  ])('%s is dropped once two answers lack it', async (_, kids) => {
    issuer.answer = issuer.keySet(...kids);
    await pass(FETCH + CONFIRMATION);
    await refuses('a');
    expect(await published(instance)).toEqual(kids);
    expect(instance.events).toContainEqual({ type: 'key_removed', kid: 'a' });
    expect(instance.jwt.health().refresh).toBe('ok');
  });

  test('is confirmed as removed by a second fetch after 30 seconds, which bypasses caches', async () => {
    const before = issuer.requests.length;
    issuer.answer = issuer.keySet('b');
    // The next fetch comes at 270 to 330 seconds.
    for (let second = 0; issuer.requests.length === before; second += 1) await pass(1);
    await pass(29);
    expect(issuer.requests.length).toBe(before + 1);
    await accepts('a');
    await pass(CONFIRMATION - 29);
    expect(issuer.requests.length).toBe(before + 2);
    expect(issuer.requests.map((headers) => headers.get('cache-control'))).toEqual([null, null, 'no-cache']);
    await refuses('a');
    await pass(FETCH);
    expect(issuer.requests.at(-1)?.get('cache-control')).toBeNull();
  });

  test('is not dropped after two answers within 30 seconds, which may come from one cache', async () => {
    issuer.answer = issuer.keySet('b');
    for (const requests = issuer.requests.length; issuer.requests.length === requests;) await pass(1);
    await refuses('x');
    await accepts('a');
  });

  test('and publishes again is not dropped, even after many repetitions', async () => {
    for (let round = 0; round < 20; round += 1) {
      issuer.answer = issuer.keySet('b');
      for (const requests = issuer.requests.length; issuer.requests.length === requests;) await pass(1);
      issuer.answer = issuer.keySet('a', 'b');
      await accepts('a');
      await pass(CONFIRMATION);
      await accepts('a');
    }
    expect(instance.events.filter(({ type }) => type !== 'key_published')).toEqual([]);
  });

  test.each(NO_ANSWERS)('is dropped even if the issuer answers with %s in between', async (_, answer) => {
    issuer.answer = issuer.keySet('b');
    for (const requests = issuer.requests.length; issuer.requests.length === requests;) await pass(1);
    issuer.answer = answer;
    await pass(60);
    await accepts('a');
    issuer.answer = issuer.keySet('b');
    await pass(37 + 3);
    await refuses('a');
    await accepts('b');
  });

  test('is dropped at once if it is distrusted', async () => {
    const distrusting = await simulation.start({ jwksUri: JWKS_URI, rotation: { distrustedKeys: ['a'] } });
    await expect(distrusting.jwt.verify(issuer.token('a'))).rejects.toMatchObject({
      code: 'token_key_unknown',
    });
    await expect(distrusting.jwt.verify(issuer.token('b'))).resolves.toBeDefined();
  });
});

test.each(NO_ANSWERS)('%s removes no key', async (_, answer) => {
  issuer.answer = answer;
  await pass(HOUR);
  await accepts('a');
  await accepts('b');
});

test('a new key with the kid of another replaces it at once', async () => {
  const old = issuer.token('a');
  const replaced = { ...issuer.jwk('c'), kid: 'a' };
  issuer.answer = () => Response.json({ keys: [replaced, issuer.jwk('b')] });
  await pass(FETCH);
  await expect(instance.jwt.verify(old)).rejects.toMatchObject({ name: 'TokenSignatureError' });
});

test('a service does not start with an empty key set', async () => {
  issuer.answer = issuer.keySet();
  await expect(simulation.start({ jwksUri: JWKS_URI })).rejects.toMatchObject({
    name: 'JwksUnavailableError',
  });
});

describe('an unavailable issuer', () => {
  const unavailable = { name: 'JwksUnavailableError', code: 'jwks_unavailable', retryable: true };

  test.each(NO_ANSWERS)(
    'that answers with %s makes its keys unavailable after 24 hours',
    async (_, answer) => {
      issuer.answer = answer;
      await pass(DAY - FETCH);
      await accepts('a');
      await pass(FETCH + 1);
      await expect(instance.jwt.verify(issuer.token('a'))).rejects.toMatchObject(unavailable);
      await expect(instance.jwt.verify(issuer.token('x'))).rejects.toMatchObject(unavailable);
      await expect(instance.jwt.jwks()).rejects.toMatchObject(unavailable);

      issuer.answer = issuer.keySet('a');
      await pass(CONFIRMATION);
      await accepts('a');
    },
  );

  test('is reported in events and health long before that', async () => {
    expect(instance.jwt.health().staleIn).toBe(DAY);
    issuer.answer = () => new Response('', { status: 404 });
    const stale = () => instance.events.filter(({ type }) => type === 'keys_stale');
    await pass(5 * HOUR);
    expect(stale()).toEqual([]);
    expect(instance.jwt.health()).toMatchObject({ refresh: 'failed', staleIn: DAY - 5 * HOUR });
    await pass(2 * HOUR);
    expect(stale()).toHaveLength(1);
    expect(stale()[0]).toMatchObject({ staleIn: expect.closeTo(18 * HOUR, -3), error: unavailable });
    await pass(16 * HOUR);
    expect(stale()).toHaveLength(3);
    await pass(2 * HOUR);
    expect(stale()).toHaveLength(4);
    expect(stale().at(-1)).toMatchObject({ staleIn: 0 });
    expect(instance.jwt.health().staleIn).toBe(0);

    issuer.answer = issuer.keySet('a', 'b');
    await pass(CONFIRMATION);
    expect(instance.events.at(-1)).toEqual({ type: 'refresh_recovered' });
    expect(instance.jwt.health().staleIn).toBeGreaterThan(DAY - CONFIRMATION);
    issuer.answer = () => new Response('', { status: 404 });
    await pass(7 * HOUR);
    expect(stale()).toHaveLength(5);
  });

  test('is fetched often enough for rotation.maxStale, even with a long max-age', async () => {
    issuer.answer = issuer.withHeaders({ 'cache-control': 'max-age=86400' }, 'a');
    const own = await simulation.start({ jwksUri: JWKS_URI, rotation: { maxStale: '1h' } });
    issuer.requests.length = 0;
    await pass(HOUR);
    expect(issuer.requests.length).toBeGreaterThanOrEqual(3);
    await pass(DAY);
    await expect(own.jwt.verify(issuer.token('a'))).resolves.toBeDefined();
    await accepts('a');
    issuer.answer = () => new Response('', { status: 410 });
    await pass(HOUR + 1);
    await expect(own.jwt.verify(issuer.token('a'))).rejects.toMatchObject(unavailable);
    await accepts('a');
  });
});

test('keys in KMS never go stale', async () => {
  const own = await simulation.start();
  const token = await own.jwt.sign({ sub: 'user-42' }, { expiresIn: 30 * DAY });
  simulation.localKms.inject({ kind: 'drop' });
  await pass(1.1 * DAY);
  await expect(own.jwt.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
  expect(own.jwt.health()).not.toHaveProperty('staleIn');
});
