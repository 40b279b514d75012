import type { StoredRing } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { A, alias, B, C, deferred, newRing, newStore, OUTAGE, seconds } from './support.js';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

const silent = () => new Promise<never>(() => {});

describe('a ring store', () => {
  test('receives each change, with only public members', async () => {
    const { store, saved } = newStore();
    const { ring } = newRing([alias(A), alias(A), alias(B)], { store });
    await ring.active();
    await seconds(300);
    expect(saved.at(-1)).toMatchObject({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    await seconds(300);
    expect(saved.at(-1)?.next).toEqual({
      keyArn: B.keyArn,
      jwk: B.jwk,
      seenAt: 600_000,
      activatesAt: 660_000,
    });
    await seconds(60);
    expect(saved.at(-1)).toMatchObject({
      instance: 'default',
      lookedUpAt: 660_000,
      active: { keyArn: B.keyArn, jwk: B.jwk },
      retired: [{ keyArn: A.keyArn, jwk: A.jwk, leftAt: 600_000 }],
    });
    await seconds(1260);
    expect(saved.at(-1)?.retired).toEqual([]);
    expect(JSON.stringify(saved)).not.toContain('"d"');
  });

  test('resumes a rotation after a restart', async () => {
    const { store } = newStore();
    const first = newRing([alias(A), alias(B)], { store });
    await first.ring.active();
    await seconds(300);
    await first.ring.stop();

    await seconds(30);
    const second = newRing([alias(B)], { store });
    expect((await second.ring.active()).kid).toBe('A');
    expect(await second.kids()).toEqual(['A', 'B']);
    await seconds(30);
    expect((await second.ring.active()).kid).toBe('B');
    expect((await second.ring.find('A'))?.kid).toBe('A');
    await second.ring.stop();

    await seconds(1260);
    const third = newRing([alias(B)], { store });
    expect(await third.kids()).toEqual(['B']);
  });

  test('stores the time at which a key was published', async () => {
    const { store, saved } = newStore();
    const first = newRing([alias(A, B)], { store });
    await first.ring.active();
    await seconds(50);
    await first.ring.stop();
    expect(saved.at(-1)?.published).toEqual([{ jwk: B.jwk, publishedAt: 0 }]);
    const second = newRing([alias(B, B)], { store });
    expect((await second.ring.active()).kid).toBe('A');
    await seconds(10);
    expect((await second.ring.active()).kid).toBe('B');
  });

  test('does not make the ring trust a formerly published key', async () => {
    const { store } = newStore();
    const first = newRing([alias(A, C)], { store });
    await first.ring.active();
    await first.ring.stop();
    const second = newRing([OUTAGE, alias(A)], { store });
    expect(await second.kids()).toEqual(['A']);
    expect(await second.ring.find('A')).toBeDefined();
  });

  test('supplies the keys while the source is unavailable at start', async () => {
    const { store } = newStore({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    const { ring, events } = newRing([OUTAGE, alias(A, C)], { store });
    expect(await ring.active()).toMatchObject({ kid: 'A', keyArn: A.keyArn });
    expect(events.splice(0)).toEqual(['refresh_failed outage']);
    await seconds(30);
    expect(events).toEqual(['refresh_recovered', 'key_published C']);
  });

  test.each<[string, unknown]>([
    ['a string', 'ring'],
    ['an empty object', {}],
    ['an invalid key', { active: { keyArn: A.keyArn, jwk: { kty: 'EC' } }, retired: [] }],
    ['a key without an ARN', { active: { jwk: A.jwk }, retired: [] }],
    ['a retired key without an ARN', { retired: [{ jwk: A.jwk, leftAt: 0 }] }],
    ['an invalid time', { retired: [{ keyArn: A.keyArn, jwk: A.jwk, leftAt: 'soon' }] }],
    ['the format of an earlier version', { retired: [{ jwk: A.jwk, stoppedSigningAt: 0, knownAt: 0 }] }],
    ['no list of distrusted keys', { retired: [], distrusted: undefined }],
    ['a publication without a time', { retired: [], published: [{ jwk: A.jwk }] }],
    ['a distrusted key that is not a string', { retired: [], distrusted: [{ kid: 'A' }] }],
  ])('that contains %s is reported and ignored', async (_, content) => {
    const { store } = newStore(content);
    const { ring, events } = newRing([alias(B)], { store });
    expect(await ring.active()).toBe(B);
    expect(events).toEqual([expect.stringMatching(/^store_failed /), 'key_published B', 'key_activated B']);
  });

  test('that cannot be read or written is reported, and the ring works without it', async () => {
    const store = { load: () => Promise.reject(OUTAGE), save: () => Promise.reject(OUTAGE) };
    const { ring, events } = newRing([alias(A)], { store });
    expect(await ring.active()).toBe(A);
    await seconds(0);
    expect(events).toEqual(['store_failed outage', 'key_published A', 'key_activated A']);
  });

  test('that could not be read at start is not overwritten, and its keys verify once it can be read', async () => {
    const { store, saved } = newStore({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    let isFailing = true;
    const failing = { ...store, load: () => (isFailing ? Promise.reject(OUTAGE) : store.load()) };
    const { ring, kids } = newRing([alias(B)], { store: failing });
    expect((await ring.active()).kid).toBe('B');
    expect(saved).toEqual([]);
    isFailing = false;
    await seconds(300);
    expect((await ring.active()).kid).toBe('B');
    expect(await kids()).toEqual(['B', 'A']);
    expect(saved.at(-1)?.active?.jwk.kid).toBe('B');
  });

  test('is written at the next refresh if a write failed', async () => {
    const { store, saved } = newStore();
    let isFailing = true;
    const failing = {
      ...store,
      save: (ring: StoredRing) => (isFailing ? Promise.reject(OUTAGE) : store.save(ring)),
    };
    const { ring, events } = newRing([alias(A)], { store: failing });
    await ring.active();
    await seconds(0);
    expect(events).toContain('store_failed outage');
    isFailing = false;
    await seconds(300);
    expect(saved.at(-1)?.active?.jwk.kid).toBe('A');
  });

  test('that never answers delays start and shutdown by its timeout at most', async () => {
    const { ring, events } = newRing([alias(A)], { store: { load: silent, save: silent } });
    const active = ring.active();
    await seconds(1);
    expect((await active).kid).toBe('A');
    expect(events[0]).toMatch(/^store_failed load\(\) of the ring store did not complete within 1000 ms/);
    const stopping = ring.stop();
    await seconds(1);
    await stopping;
  });

  test('of another instance is refused, because its keys must not be trusted', async () => {
    const { store } = newStore({
      instance: 'internal',
      active: { keyArn: A.keyArn, jwk: A.jwk },
      retired: [],
    });
    const { ring } = newRing([alias(B)], { store });
    await expect(ring.active()).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option: 'rotation.store',
    });
  });

  test('with an old state supplies keys that verify, but not the key that signs', async () => {
    const { store } = newStore({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    await seconds(3600);
    const { ring, kids } = newRing([alias(B)], { store });
    expect((await ring.active()).kid).toBe('B');
    expect(await kids()).toEqual(['B', 'A']);
  });

  test('stores the longest lifetime of a token', async () => {
    const { store, saved } = newStore();
    const first = newRing([alias(A)], { store, retireAfter: undefined });
    await first.ring.active();
    first.ring.recordLifetime(2_592_000);
    await seconds(300);
    expect(saved.at(-1)?.longestLifetime).toBe(2_592_000);
    await first.ring.stop();

    // With a day between refreshes, a month is quickly simulated.
    const second = newRing([{ ...alias(B), freshFor: 86_400 }], { store, retireAfter: undefined });
    second.ring.recordLifetime(900);
    await second.ring.active();
    await seconds(60);
    expect((await second.ring.active()).kid).toBe('B');
    await seconds(2_592_000);
    expect(await second.ring.find('A')).toBeDefined();
  });

  test('has the last change before the stop of the ring is complete', async () => {
    const written = deferred<void>();
    const { ring } = newRing([alias(A)], {
      store: { load: async () => undefined, save: () => written.promise },
    });
    await ring.active();
    let isStopped = false;
    const stopping = ring.stop().then(() => (isStopped = true));
    await seconds(0.5);
    expect(isStopped).toBe(false);
    written.resolve();
    await stopping;
    expect(isStopped).toBe(true);
  });
});

describe('a store that other instances write', () => {
  test('keeps the longest lifetime of the tokens of all of them', async () => {
    const { store, saved } = newStore();
    const [one, other] = [newRing([alias(A)], { store }), newRing([alias(A)], { store })];
    await other.ring.active();
    one.ring.recordLifetime(604_800);
    await one.ring.active();
    await seconds(1);
    expect(saved.at(-1)?.longestLifetime).toBe(604_800);
    await other.ring.refresh();
    await other.ring.stop();
    expect(saved.at(-1)?.longestLifetime).toBe(604_800);
  });
});

test('a key from a store that is too old to resume is published again before it signs', async () => {
  const month = 30 * 86_400;
  await seconds(month);
  for (const former of [B, C]) {
    const { store } = newStore({
      active: { keyArn: B.keyArn, jwk: B.jwk },
      retired: [],
      published: [{ jwk: C.jwk, publishedAt: 0 }],
    });
    const { ring } = newRing([alias(A), alias(former)], { store });
    await ring.active();
    await ring.refresh();
    expect((await ring.active()).kid).toBe('A');
    await seconds(60);
    expect((await ring.active()).kid).toBe(former.kid);
    await ring.stop();
  }
});

test.each([
  ['an invalid key', { retired: [{ jwk: {}, leftAt: 0 }] }],
  ['invalid JSON', new SyntaxError('Unexpected end of JSON input')],
])('a store with %s is set aside before it is replaced', async (_, content) => {
  const calls: string[] = [];
  const { store } = newStore(content instanceof Error ? undefined : content);
  const load = async () => {
    if (content instanceof Error) throw content;
    return store.load();
  };
  const save = async () => void calls.push('save');
  const setAside = async () => void calls.push('setAside');
  const { ring } = newRing([alias(A)], { store: { load, save, setAside } });
  await ring.active();
  await ring.stop();
  expect(calls.slice(0, 2)).toEqual(['setAside', 'save']);
});

test('a store is not written before the source has answered, because it may belong to another account', async () => {
  const { store, saved } = newStore({
    active: { keyArn: A.keyArn, jwk: A.jwk },
    next: { keyArn: B.keyArn, jwk: B.jwk, seenAt: 0, activatesAt: 10_000 },
    retired: [],
  });
  const { ring, events } = newRing([OUTAGE, OUTAGE, alias(B)], { store });
  await ring.all();
  await seconds(20);
  expect(saved).toEqual([]);
  await ring.refresh();
  await ring.refresh();
  await ring.stop();
  expect(events).toContain('key_activated B');
  expect(saved.at(-1)).toMatchObject({ active: { keyArn: B.keyArn } });
});
