import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import { Test } from '@nestjs/testing';
import {
  type KmsJwtEvent,
  KmsJwtModule,
  type KmsJwtRingStore,
  KmsJwtService,
  type StoredRing,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { verificationKeyFrom } from '../../src/jwt/jwk.js';
import { KeyRing, type RingSettings } from '../../src/keys/key-ring.js';
import type { FetchedKeys } from '../../src/keys/rotation.js';
import type { SigningKey } from '../../src/keys/signing-key.js';
import { forge, newKeyPair } from '../support/forge.js';

const newKey = (kid: string): SigningKey => {
  const key = verificationKeyFrom({ ...newKeyPair().publicKey.export({ format: 'jwk' }), kid });
  if (!key) throw new Error('no key');
  return { ...key, keyArn: `arn:aws:kms:eu-central-1:000000000000:key/${kid}` };
};
const [A, B, C] = [newKey('A'), newKey('B'), newKey('C')];
const AWAY = new Error('away');

type Answer = FetchedKeys | Error | Promise<FetchedKeys>;
/** An answer that is asked for again after 300 seconds, as that of an alias is. */
const alias = (signing: SigningKey, ...others: SigningKey[]): FetchedKeys => ({
  signing,
  others,
  freshFor: 300,
});

/** A ring whose source gives one answer after the other, the last for ever, and who listens to it. */
function newRing(answers: Answer[], settings: Partial<RingSettings> = {}, random = 0.5) {
  const state = { loads: 0 };
  const source = {
    load: async () => {
      const answer = answers[Math.min(state.loads, answers.length - 1)] as Answer;
      state.loads += 1;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const given = {
    activationDelay: 60,
    retireAfter: 600,
    ringStore: undefined,
    instance: 'default',
    timeout: 1000,
    ...settings,
  };
  const events: string[] = [];
  const ring = new KeyRing(source, given, (event) => events.push(line(event)), {
    now: () => Date.now(),
    uptime: () => performance.now(),
    random: () => random,
  });
  return { state, ring, events, kids: async () => (await ring.all()).map(({ kid }) => kid) };
}
const line = (event: KmsJwtEvent) =>
  'kid' in event
    ? `${event.type} ${event.kid}`
    : 'error' in event
      ? `${event.type} ${event.error.message}`
      : event.type;

function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

describe('the key', () => {
  test('is fetched once, however many ask at once and afterwards', async () => {
    const { ring, state } = newRing([alias(A)]);
    await Promise.all([ring.active(), ring.find('A'), ring.all(), ring.active()]);
    await ring.active();
    expect(state.loads).toBe(1);
  });

  test('is found by its kid and by no other', async () => {
    const { ring, kids } = newRing([alias(A)]);
    expect(await ring.find('A')).toBe(A);
    expect(await ring.find('a')).toBeUndefined();
    expect(await ring.find('__proto__')).toBeUndefined();
    expect(await kids()).toEqual(['A']);
  });
});

describe('a first fetch that failed', () => {
  test('fails all who waited for it, and the next signer tries again', async () => {
    const { ring, state } = newRing([AWAY, alias(A)]);
    const results = await Promise.allSettled([ring.active(), ring.active()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await ring.active()).toBe(A);
    expect(state.loads).toBe(2);
  });

  test('is remembered for 250 ms where tokens ask, so that a flood of them makes four fetches a second', async () => {
    const { ring, state } = newRing([AWAY]);
    for (let token = 0; token < 100; token += 1) await expect(ring.find('x')).rejects.toThrow('away');
    expect(state.loads).toBe(1);
    await seconds(0.25);
    await expect(ring.find('x')).rejects.toThrow('away');
    expect(state.loads).toBe(2);
  });

  test('is forgotten as soon as a signer has the key', async () => {
    const { ring } = newRing([AWAY, alias(A)]);
    await expect(ring.find('A')).rejects.toThrow('away');
    await ring.active();
    expect(await ring.find('A')).toBe(A);
  });
});

describe('a refresh', () => {
  test('comes when the answer is no longer fresh, and lets nobody wait who needs a key that is known', async () => {
    const slow = deferred<FetchedKeys>();
    const { ring, state, kids } = newRing([alias(A), slow.promise]);
    await ring.active();
    await seconds(299);
    expect(state.loads).toBe(1);
    await seconds(1);
    expect(state.loads).toBe(2);

    expect(await ring.active()).toBe(A);
    expect(await ring.find('A')).toBe(A);
    expect(await kids()).toEqual(['A']);
    slow.resolve(alias(A, C));
    await seconds(0);
    expect(await kids()).toEqual(['A', 'C']);
  });

  test.each([
    [0, 270],
    [0.999, 329],
  ])('is drawn around its time, so that a fleet does not ask all at once: %s', async (random, after) => {
    const { ring, state } = newRing([alias(A)], {}, random);
    await ring.active();
    await seconds(after - 1);
    expect(state.loads).toBe(1);
    await seconds(2);
    expect(state.loads).toBe(2);
  });

  test('that fails keeps the last keys, says so, is tried again soon, and says when it succeeded', async () => {
    const { ring, state, events, kids } = newRing([alias(A, C), AWAY, AWAY, alias(A, C)]);
    await ring.active();
    events.length = 0;
    await seconds(300);
    expect(events).toEqual(['refresh_failed away']);
    expect(ring.health.refresh).toBe('failed');
    expect(await ring.active()).toBe(A);
    expect(await kids()).toEqual(['A', 'C']);

    await seconds(30);
    expect(events).toEqual(['refresh_failed away', 'refresh_failed away']);
    await seconds(30);
    expect(events.slice(2)).toEqual(['refresh_recovered']);
    expect(ring.health.refresh).toBe('ok');
    await seconds(299);
    expect(state.loads).toBe(4);
  });

  test('never comes where the answer cannot change, not for an unknown kid either', async () => {
    const { ring, state } = newRing([{ signing: A, others: [] }]);
    await ring.active();
    expect(await ring.find('B')).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
    expect(state.loads).toBe(1);
  });
});

describe('a rotation', () => {
  test('is told step by step, each at its time', async () => {
    const { ring, events, kids } = newRing([alias(A), alias(B)]);
    await ring.active();
    expect(events.splice(0)).toEqual(['key_published A', 'key_activated A']);
    await seconds(300);
    expect(events.splice(0)).toEqual(['key_published B']);
    expect(await ring.active()).toBe(A);
    await seconds(59);
    expect(events).toEqual([]);
    await seconds(1);
    expect(events.splice(0)).toEqual(['key_activated B']);
    expect(await ring.active()).toBe(B);
    expect(await kids()).toEqual(['B', 'A']);
    // The refresh interval and its jitter are added: another instance may sign with the old key for as long.
    await seconds(929);
    expect(events).toEqual([]);
    await seconds(1);
    expect(events).toEqual(['key_removed A']);
    expect(await ring.find('A')).toBeUndefined();
  });

  test('does not wait for a timer that is late', async () => {
    const { ring } = newRing([alias(A), alias(B)]);
    await ring.active();
    await seconds(300);
    vi.setSystemTime(Date.now() + 60_000);
    expect(await ring.active()).toBe(B);
    vi.setSystemTime(Date.now() + 930_000);
    expect((await ring.all()).map(({ kid }) => kid)).toEqual(['B']);
  });

  // Another instance may sign with the old key for one refresh longer: its last token must verify here to its end.
  test.each<[string, (number | undefined)[], number]>([
    ['24 hours, where nothing was signed', [], 86_400],
    ['as long as the longest-lived token', [900, 3600, 60], 3600],
    ['24 hours, where a token lives for ever', [60, undefined], 86_400],
  ])(
    'retires the old key, unless told otherwise, after %s and a refresh interval',
    async (_, given, lives) => {
      const { ring, events } = newRing([alias(A), alias(B)], { retireAfter: undefined, activationDelay: 0 });
      await ring.active();
      for (const lifetime of given) ring.noteLifetime(lifetime);
      await seconds(300);
      events.length = 0;
      await seconds(lives + 329);
      expect(events).toEqual([]);
      await seconds(2);
      expect(events).toEqual(['key_removed A']);
    },
  );
});

describe('an unknown kid', () => {
  test('asks for one refresh that all share, and is found by it', async () => {
    const { ring, state } = newRing([alias(A), alias(A, C)]);
    await ring.active();
    const found = await Promise.all([ring.find('C'), ring.find('C'), ring.find('x')]);
    expect(found).toEqual([C, C, undefined]);
    expect(state.loads).toBe(2);
  });

  test('asks at most once in 30 seconds, of 100,000 as of one', async () => {
    const { ring, state } = newRing([{ ...alias(A), freshFor: 86_400 }]);
    await ring.active();
    const loads: number[] = [];
    for (let token = 0; token < 100_000; token += 1) {
      await ring.find(`forged-${token}`);
      if (token % 10_000 !== 9999) continue;
      loads.push(state.loads - 1);
      await seconds(15);
    }
    expect(loads).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  });

  test('is not called unknown while the source cannot be asked', async () => {
    const { ring } = newRing([alias(A), AWAY, alias(A)]);
    await ring.active();
    await expect(ring.find('C')).rejects.toThrow('away');
    expect(await ring.find('A')).toBe(A);
    await seconds(30);
    expect(await ring.find('C')).toBeUndefined();
  });
});

test('100,000 forged tokens make one call of KMS, and leave nothing behind', async () => {
  vi.useRealTimers();
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() })],
  }).compile();
  await module.init();
  const jwt = module.get(KmsJwtService);
  const { privateKey } = newKeyPair();
  const [, rest] = /^[^.]+(\..+)$/.exec(forge({}, { sub: 'root' }, privateKey)) ?? [];
  const forgeMany = async (from: number, to: number) => {
    for (let token = from; token < to; token += 1) {
      const header = { alg: 'ES256', kid: `${token}-${'x'.repeat(64)}` };
      const forged = Buffer.from(JSON.stringify(header)).toString('base64url') + rest;
      const error: unknown = await jwt.verify(forged).catch((reason: unknown) => reason);
      if ((error as Error).name !== 'TokenKeyUnknownError') throw error;
    }
  };
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };

  localKms.resetCalls();
  await forgeMany(0, 20_000);
  const before = heap();
  await forgeMany(20_000, 120_000);
  // The kids alone would be 7 MB.
  expect(heap() - before).toBeLessThan(2_000_000);
  expect(localKms.calls.GetPublicKey).toBe(1);
  await module.close();
});

/** A store in memory that holds what it is given as JSON, as a real one does. */
function newStore(content?: unknown) {
  const saved: StoredRing[] = [];
  const first = typeof content === 'object' ? { instance: 'default', savedAt: 0, ...content } : content;
  const store: KmsJwtRingStore = {
    load: async () => structuredClone((saved.at(-1) ?? first) as StoredRing | undefined),
    save: async (ring) => void saved.push(structuredClone(ring)),
  };
  return { store, saved };
}

const silent = () => new Promise<never>(() => {});

describe('a ring store', () => {
  test('is given each change, with public members alone', async () => {
    const { store, saved } = newStore();
    const { ring } = newRing([alias(A), alias(A), alias(B)], { ringStore: store });
    await ring.active();
    await seconds(300);
    expect(saved.at(-1)).toMatchObject({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    await seconds(300);
    expect(saved.at(-1)?.next).toEqual({ keyArn: B.keyArn, jwk: B.jwk, activatesAt: 660_000 });
    await seconds(60);
    expect(saved.at(-1)).toMatchObject({
      instance: 'default',
      savedAt: 660_000,
      active: { keyArn: B.keyArn, jwk: B.jwk },
      retired: [{ jwk: A.jwk, retiresAt: 1_590_000, knownAt: 660_000 }],
    });
    await seconds(930);
    expect(saved.at(-1)?.retired).toEqual([]);
    expect(JSON.stringify(saved)).not.toContain('"d"');
  });

  test('lets a rotation go on over a restart as if there had been none', async () => {
    const { store } = newStore();
    const first = newRing([alias(A), alias(B)], { ringStore: store });
    await first.ring.active();
    await seconds(300);
    await first.ring.stop();

    await seconds(30);
    const second = newRing([alias(B)], { ringStore: store });
    expect((await second.ring.active()).kid).toBe('A');
    expect(await second.kids()).toEqual(['A', 'B']);
    await seconds(30);
    expect((await second.ring.active()).kid).toBe('B');
    expect((await second.ring.find('A'))?.kid).toBe('A');
    await second.ring.stop();

    await seconds(930);
    const third = newRing([alias(B)], { ringStore: store });
    expect(await third.kids()).toEqual(['B']);
  });

  test('stands in for a source that is away at start, until that is back', async () => {
    const { store } = newStore({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    const { ring, events } = newRing([AWAY, alias(A, C)], { ringStore: store });
    expect(await ring.active()).toMatchObject({ kid: 'A', keyArn: A.keyArn });
    expect(events.splice(0)).toEqual(['refresh_failed away']);
    await seconds(30);
    expect(events).toEqual(['refresh_recovered', 'key_published C']);
  });

  test.each<[string, unknown]>([
    ['no object', 'ring'],
    ['an object without its parts', {}],
    ['a key that is none', { active: { keyArn: A.keyArn, jwk: { kty: 'EC' } }, retired: [] }],
    ['a key without an ARN', { active: { jwk: A.jwk }, retired: [] }],
    ['a time that is none', { retired: [{ jwk: A.jwk, retiresAt: 'soon' }] }],
  ])('that holds %s is told of and left aside', async (_, content) => {
    const { store } = newStore(content);
    const { ring, events } = newRing([alias(B)], { ringStore: store });
    expect(await ring.active()).toBe(B);
    expect(events).toEqual([expect.stringMatching(/^store_failed /), 'key_published B', 'key_activated B']);
  });

  test('that cannot be read or written is told of, and the ring goes on', async () => {
    const store = { load: () => Promise.reject(AWAY), save: () => Promise.reject(AWAY) };
    const { ring, events } = newRing([alias(A)], { ringStore: store });
    expect(await ring.active()).toBe(A);
    await seconds(0);
    expect(events).toEqual(['store_failed away', 'key_published A', 'key_activated A']);
  });

  test('that could not be read at start is not written over, and its keys verify once it can be read', async () => {
    const { store, saved } = newStore({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    let isAway = true;
    const ringStore = { ...store, load: () => (isAway ? Promise.reject(AWAY) : store.load()) };
    const { ring, kids } = newRing([alias(B)], { ringStore });
    expect((await ring.active()).kid).toBe('B');
    expect(saved).toEqual([]);
    isAway = false;
    await seconds(300);
    expect((await ring.active()).kid).toBe('B');
    expect(await kids()).toEqual(['B', 'A']);
    expect(saved.at(-1)?.active?.jwk.kid).toBe('B');
  });

  test('that failed to be written is written at the next refresh', async () => {
    const { store, saved } = newStore();
    let isAway = true;
    const ringStore = {
      ...store,
      save: (ring: StoredRing) => (isAway ? Promise.reject(AWAY) : store.save(ring)),
    };
    const { ring, events } = newRing([alias(A)], { ringStore });
    await ring.active();
    await seconds(0);
    expect(events).toContain('store_failed away');
    isAway = false;
    await seconds(300);
    expect(saved.at(-1)?.active?.jwk.kid).toBe('A');
  });

  test('that never answers holds up neither start nor end', async () => {
    const { ring, events } = newRing([alias(A)], { ringStore: { load: silent, save: silent } });
    const active = ring.active();
    await seconds(1);
    expect((await active).kid).toBe('A');
    expect(events[0]).toMatch(/^store_failed load of the ringStore did not answer within 1000 ms/);
    const stopping = ring.stop();
    await seconds(1);
    await stopping;
  });

  test('of another instance stops the app: its keys are not to be trusted here', async () => {
    const { store } = newStore({
      instance: 'internal',
      active: { keyArn: A.keyArn, jwk: A.jwk },
      retired: [],
    });
    const { ring } = newRing([alias(B)], { ringStore: store });
    await expect(ring.active()).rejects.toMatchObject({ name: 'KmsJwtOptionsError', option: 'ringStore' });
  });

  test('of long ago is history: its keys verify on, but the key of today signs', async () => {
    const { store } = newStore({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    await seconds(3600);
    const { ring, kids } = newRing([alias(B)], { ringStore: store });
    expect((await ring.active()).kid).toBe('B');
    expect(await kids()).toEqual(['B', 'A']);
  });

  test('remembers how long tokens live', async () => {
    const { store, saved } = newStore();
    const first = newRing([alias(A)], { ringStore: store, retireAfter: undefined });
    await first.ring.active();
    first.ring.noteLifetime(2_592_000);
    await seconds(300);
    expect(saved.at(-1)?.longestLifetime).toBe(2_592_000);
    await first.ring.stop();

    const second = newRing([alias(B)], { ringStore: store, retireAfter: undefined });
    second.ring.noteLifetime(900);
    await second.ring.active();
    await seconds(60);
    expect((await second.ring.active()).kid).toBe('B');
    await seconds(2_592_000);
    expect(await second.ring.find('A')).toBeDefined();
  });

  test('has what changed last when the ring is stopped', async () => {
    const written = deferred<void>();
    const { ring } = newRing([alias(A)], {
      ringStore: { load: async () => undefined, save: () => written.promise },
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

describe('a key', () => {
  test('that cannot sign any more gives way to the next at once, over a restart too', async () => {
    const { store, saved } = newStore();
    const { ring, events } = newRing([alias(A), alias(B)], { ringStore: store });
    await ring.active();
    expect(ring.skip(A)).toBe(false);
    await seconds(300);
    events.length = 0;
    expect(ring.skip(A)).toBe(true);
    expect(ring.skip(A)).toBe(true);
    expect((await ring.active()).kid).toBe('B');
    expect(events).toEqual(['key_activated B']);
    expect(await ring.find('A')).toBe(A);
    await seconds(0);
    expect(saved.at(-1)?.active?.jwk.kid).toBe('B');
  });

  test('of the same name as another is refused: no token could tell them apart', async () => {
    const impostor = { ...newKey('A'), keyArn: B.keyArn };
    const { ring, events } = newRing([alias(A), alias(impostor)]);
    await ring.active();
    await seconds(300);
    expect(events.at(-1)).toMatch(/^refresh_failed KmsJwt: kid must differ from key to key/);
    expect(await ring.active()).toBe(A);
  });
});

test('limits go by a clock that never goes back', async () => {
  const { ring, state } = newRing([AWAY, alias(A)]);
  await expect(ring.find('A')).rejects.toThrow('away');
  vi.setSystemTime(Date.now() - 3_600_000);
  await seconds(0.25);
  expect(await ring.find('A')).toBe(A);
  expect(state.loads).toBe(2);
});

test('a key set that anybody can ask for makes no flood of calls while it cannot be fetched', async () => {
  const { ring, state } = newRing([AWAY]);
  for (let request = 0; request < 100; request += 1) await expect(ring.all()).rejects.toThrow('away');
  expect(state.loads).toBe(1);
});

describe('stop', () => {
  test('leaves no timer', async () => {
    const { ring } = newRing([alias(A), alias(B)]);
    await ring.active();
    await seconds(300);
    expect(vi.getTimerCount()).toBe(2);
    await ring.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('leaves no timer behind a refresh that was under way', async () => {
    const slow = deferred<FetchedKeys>();
    const { ring } = newRing([alias(A), slow.promise]);
    await ring.active();
    await seconds(300);
    await ring.stop();
    slow.resolve(alias(B));
    await seconds(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
