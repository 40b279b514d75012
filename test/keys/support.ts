import type { KmsJwtEvent, KmsJwtRingStore, StoredRing } from 'nestjs-kms-jwt';
import { vi } from 'vitest';
import { ALGORITHMS } from '../../src/jwt/algorithms.js';
import { verificationKeyFrom } from '../../src/jwt/jwk.js';
import { type Clock, SYSTEM_CLOCK } from '../../src/keys/clock.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { RingPersistence } from '../../src/keys/ring-persistence.js';
import type { FetchedKeys } from '../../src/keys/rotation.js';
import type { SigningKey } from '../../src/keys/signing-key.js';
import type { TrustSettings } from '../../src/keys/rotation-times.js';
import { TrustedKeys } from '../../src/keys/trusted-keys.js';
import { newKeyPair } from '../support/forge.js';

export function newKey(kid: string): SigningKey {
  const key = verificationKeyFrom({ ...newKeyPair().publicKey.export({ format: 'jwk' }), kid });
  if (!key) throw new Error('no key');
  return { ...key, keyArn: `arn:aws:kms:eu-central-1:000000000000:key/${kid}` };
}
export const [A, B, C] = [newKey('A'), newKey('B'), newKey('C')];
export const OUTAGE = new Error('outage');

export const BINDING = { instance: 'default', source: 'alias/auth' };

type Answer = FetchedKeys | Error | Promise<FetchedKeys> | (() => Promise<FetchedKeys>);

/** The keys of an alias, which are fetched again after 300 seconds. */
export function alias(signing: SigningKey, ...others: SigningKey[]): FetchedKeys {
  return { signing, others, freshFor: 300 };
}

interface RingOptions extends Partial<TrustSettings> {
  store?: KmsJwtRingStore;
  random?: number;
  clock?: Clock;
}

/** A ring whose source gives these answers in order, and repeats the last one. */
export function newRing(
  answers: Answer[],
  { store, random = 0, clock = SYSTEM_CLOCK, ...settings }: RingOptions = {},
) {
  const state = { loads: 0 };
  const source = {
    load: async () => {
      const answer = answers[Math.min(state.loads, answers.length - 1)] as Answer;
      state.loads += 1;
      if (answer instanceof Error) throw answer;
      return typeof answer === 'function' ? answer() : answer;
    },
  };
  const events: string[] = [];
  const emit = (event: KmsJwtEvent) => void events.push(line(event));
  const persistence = new RingPersistence(store, BINDING, 1000, emit);
  const rotation = {
    activationDelay: 60,
    retireAfter: 600,
    refreshInterval: 300,
    distrustedKeys: [],
    algorithms: ALGORITHMS,
  };
  const keys = new TrustedKeys(persistence, { ...rotation, ...settings }, emit, clock);
  const ring = new KeyRing(source, keys, emit, clock, () => random);
  return { state, ring, keys, events, kids: async () => (await ring.all()).map(({ kid }) => kid) };
}

function line(event: KmsJwtEvent): string {
  if ('kid' in event) return `${event.type} ${event.kid}`;
  return 'error' in event ? `${event.type} ${event.error.message}` : event.type;
}

/** A store in memory that copies its content, as serialization does. */
export function newStore(content?: unknown) {
  const saved: StoredRing[] = [];
  const first =
    typeof content === 'object'
      ? { ...BINDING, lookedUpAt: 0, published: [], distrusted: [], ...content }
      : content;
  const store: KmsJwtRingStore = {
    load: async () => structuredClone((saved.at(-1) ?? first) as StoredRing | undefined),
    save: async (ring) => void saved.push(structuredClone(ring)),
  };
  return { store, saved };
}

export function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

/** Advances the fake timers by so many seconds. */
export const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);
