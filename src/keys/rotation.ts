import type { VerificationKey } from '../jwt/jwk.js';
import type { SigningKey } from './signing-key.js';

/** The keys that a source trusts now. */
export interface FetchedKeys {
  /** The key that is to sign; absent in a service that only verifies. */
  readonly signing?: SigningKey;
  /** Further keys that verify and are published. */
  readonly others: readonly VerificationKey[];
  /** After how many seconds to fetch again; absent if the answer cannot change. */
  readonly freshFor?: number;
  /** Why some of `others` could not be fetched; they are left out. */
  readonly problem?: Error;
}

/** The keys of a service by their part in a rotation. Immutable: each step returns a new state. Times are milliseconds since 1970. */
export interface RotationState {
  /** Signs. */
  readonly active?: SigningKey;
  /** Published ahead of time, so that every verifier has it before it signs. */
  readonly next?: { readonly key: SigningKey; readonly activatesAt: number };
  /** No longer sign, but verify until their last tokens have expired. */
  readonly retired: readonly RetiredKey[];
  /** Verify and are published as long as the source lists them. */
  readonly others: readonly VerificationKey[];
  /** Since when `others` have been published. After a restart also of keys that are not trusted any more, until the next fetch. */
  readonly published: readonly PublishedKey[];
}

export interface PublishedKey {
  readonly key: VerificationKey;
  readonly publishedAt: number;
}

export interface RetiredKey {
  readonly key: VerificationKey;
  /** When it was seen to sign no more. How long it verifies after that is for the configuration to say. */
  readonly stoppedSigningAt: number;
  /** When every verifier has the key. In the future if the alias moved on before the key was activated. */
  readonly knownAt: number;
}

export const EMPTY_STATE: RotationState = { retired: [], others: [], published: [] };

/** How long the phases of a rotation last, in milliseconds. */
export interface RotationTimes {
  readonly activationDelay: number;
  /** Counted from `stoppedSigningAt`. */
  readonly retireAfter: number;
}

/** The state after a fetch. */
export function afterFetch(
  state: RotationState,
  fetched: FetchedKeys,
  times: RotationTimes,
  now: number,
): RotationState {
  const published = fetched.others.map((key) => ({ key, publishedAt: publishedAt(key, state, now) }));
  const current = afterTime({ ...state, others: fetched.others, published }, times, now);
  const { signing } = fetched;
  if (!signing) return current;
  if (!current.active) return { ...current, active: signing };
  if (signing.kid === current.active.kid) return withoutNext(current, now);
  if (signing.kid === current.next?.key.kid) return current;

  // A key that was published before waits only for the rest of its delay.
  const knownAt = state.retired.find(({ key }) => key.kid === signing.kid)?.knownAt ?? Infinity;
  const publishedLongEnoughAt = publishedAt(signing, current, now) + times.activationDelay;
  const activatesAt = Math.max(now, Math.min(knownAt, publishedLongEnoughAt));
  return afterTime({ ...withoutNext(current, now), next: { key: signing, activatesAt } }, times, now);
}

/** The state after nothing but time has passed. */
export function afterTime(state: RotationState, times: RotationTimes, now: number): RotationState {
  const { active, next, ...rest } = state;
  const isDue = next !== undefined && next.activatesAt <= now;
  const signing = isDue ? next.key : active;
  const retired = isDue ? retire(active, state.retired, now) : state.retired;
  return {
    ...rest,
    ...(signing && { active: signing }),
    ...(next && !isDue && { next }),
    retired: retired.filter((entry) => retiresAt(entry, times) > now && entry.key.kid !== signing?.kid),
  };
}

/** The state after the active key has failed to sign: the next key signs at once, if there is one. */
export function afterEarlyRetirement(state: RotationState, times: RotationTimes, now: number): RotationState {
  return state.next ? afterTime({ ...state, next: { ...state.next, activatesAt: now } }, times, now) : state;
}

/** The state without the keys that are not trusted. The next key signs at once if the active one is not trusted. */
export function withoutKeys(
  state: RotationState,
  isTrusted: (key: VerificationKey) => boolean,
  times: RotationTimes,
  now: number,
): RotationState {
  const { active, next } = state;
  const isActiveTrusted = active !== undefined && isTrusted(active);
  const kept: RotationState = {
    ...(isActiveTrusted && { active }),
    ...(next && isTrusted(next.key) && { next }),
    retired: state.retired.filter(({ key }) => isTrusted(key)),
    others: state.others.filter(isTrusted),
    published: state.published.filter(({ key }) => isTrusted(key)),
  };
  return active && !isActiveTrusted ? afterEarlyRetirement(kept, times, now) : kept;
}

/** A stored state without times that lie too far ahead, as a clock that was wrong may have stored them. */
export function plausibleAt(state: RotationState, times: RotationTimes, now: number): RotationState {
  const { next, retired, published } = state;
  const latest = now + times.activationDelay;
  return {
    ...state,
    ...(next && { next: { ...next, activatesAt: Math.min(next.activatesAt, latest) } }),
    retired: retired.map(({ key, stoppedSigningAt, knownAt }) => ({
      key,
      stoppedSigningAt: Math.min(stoppedSigningAt, now),
      knownAt: Math.min(knownAt, latest),
    })),
    published: published.map((entry) => ({ ...entry, publishedAt: Math.min(entry.publishedAt, now) })),
  };
}

/** The state with all keys of a past one as retired keys: used if that is too old to resume. */
export function withPastKeys(
  state: RotationState,
  past: RotationState,
  times: RotationTimes,
  now: number,
): RotationState {
  const known = keysOf(state);
  const older = [...keysOf(past).values()].filter(({ kid }) => !known.has(kid));
  const retired = older.map((key) => ({
    key,
    stoppedSigningAt: past.retired.find((entry) => entry.key.kid === key.kid)?.stoppedSigningAt ?? now,
    // Nobody else may have published it meanwhile.
    knownAt: now + times.activationDelay,
  }));
  return {
    ...state,
    retired: [...state.retired, ...retired],
    published: [...state.published, ...past.published.map((entry) => ({ ...entry, publishedAt: now }))],
  };
}

/** When the state next changes by the passing of time alone; Infinity if it does not. */
export function nextChange({ next, retired }: RotationState, times: RotationTimes): number {
  return Math.min(next?.activatesAt ?? Infinity, ...retired.map((entry) => retiresAt(entry, times)));
}

/** Every key that verifies, by `kid`. Of two keys with one `kid`, one that is in the rotation wins over `others`. */
export function keysOf(state: RotationState): Map<string, VerificationKey> {
  const keys = new Map<string, VerificationKey>();
  for (const key of allKeysOf(state)) if (!keys.has(key.kid)) keys.set(key.kid, key);
  return keys;
}

/** Every key, those in the rotation first; two may have one `kid`. */
export function allKeysOf({ active, next, retired, others }: RotationState): VerificationKey[] {
  const keys = [active, next?.key, ...retired.map(({ key }) => key), ...others];
  return keys.filter((key) => key !== undefined);
}

// The alias moved on, or back, before the key was activated: another instance may have signed with it all the same.
function withoutNext(state: RotationState, now: number): RotationState {
  if (!state.next) return state;
  const { next, ...rest } = state;
  return { ...rest, retired: retire(next.key, state.retired, now, next.activatesAt) };
}

function retire(
  key: VerificationKey | undefined,
  retired: RotationState['retired'],
  now: number,
  knownAt = now,
): RotationState['retired'] {
  if (!key) return retired;
  return [...retired.filter((entry) => entry.key.kid !== key.kid), { key, stoppedSigningAt: now, knownAt }];
}

/** Since when a key has been published as one of `others`; `now` if it was not. */
function publishedAt({ kid, jwk }: VerificationKey, { published }: RotationState, now: number): number {
  const same = published.filter(({ key }) => key.kid === kid && key.jwk.x === jwk.x);
  return Math.min(now, ...same.map((entry) => entry.publishedAt));
}

function retiresAt({ stoppedSigningAt }: RetiredKey, times: RotationTimes): number {
  return stoppedSigningAt + times.retireAfter;
}
