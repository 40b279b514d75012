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
}

export interface RetiredKey {
  readonly key: VerificationKey;
  readonly retiresAt: number;
  /** When every verifier has the key. In the future if the alias moved on before the key was activated. */
  readonly knownAt: number;
}

export const EMPTY_STATE: RotationState = { retired: [], others: [] };

/** How long the phases of a rotation last, in milliseconds. */
export interface RotationTimes {
  readonly activationDelay: number;
  readonly retireAfter: number;
}

/** The state after a fetch. */
export function afterFetch(
  state: RotationState,
  fetched: FetchedKeys,
  times: RotationTimes,
  now: number,
): RotationState {
  const current = afterTime({ ...state, others: fetched.others }, times, now);
  const { signing } = fetched;
  if (!signing) return current;
  if (!current.active) return { ...current, active: signing };
  if (signing.kid === current.active.kid) return withoutNext(current, times, now);
  if (signing.kid === current.next?.key.kid) return current;

  // A key that was published before waits only for the rest of its delay.
  const knownAt = state.retired.find(({ key }) => key.kid === signing.kid)?.knownAt;
  const isKnown = state.others.some(({ kid }) => kid === signing.kid);
  const activatesAt = isKnown ? now : Math.max(now, knownAt ?? now + times.activationDelay);
  return afterTime({ ...withoutNext(current, times, now), next: { key: signing, activatesAt } }, times, now);
}

/** The state after nothing but time has passed. */
export function afterTime(state: RotationState, times: RotationTimes, now: number): RotationState {
  const { active, next, ...rest } = state;
  const isDue = next !== undefined && next.activatesAt <= now;
  const signing = isDue ? next.key : active;
  const retired = isDue ? retire(active, state.retired, times, now) : state.retired;
  return {
    ...rest,
    ...(signing && { active: signing }),
    ...(next && !isDue && { next }),
    retired: retired.filter(({ key, retiresAt }) => retiresAt > now && key.kid !== signing?.kid),
  };
}

/** The state after the active key has failed to sign: the next key signs at once, if there is one. */
export function afterEarlyRetirement(state: RotationState, times: RotationTimes, now: number): RotationState {
  return state.next ? afterTime({ ...state, next: { ...state.next, activatesAt: now } }, times, now) : state;
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
    retiresAt: past.retired.find((entry) => entry.key.kid === key.kid)?.retiresAt ?? now + times.retireAfter,
    knownAt: now,
  }));
  return { ...state, retired: [...state.retired, ...retired] };
}

/** When the state next changes by the passing of time alone; Infinity if it does not. */
export function nextChange({ next, retired }: RotationState): number {
  return Math.min(next?.activatesAt ?? Infinity, ...retired.map(({ retiresAt }) => retiresAt));
}

/** Every key that verifies, by `kid`. Of two keys with one `kid`, one that is in the rotation wins over `others`. */
export function keysOf({ active, next, retired, others }: RotationState): Map<string, VerificationKey> {
  const keys = new Map<string, VerificationKey>();
  for (const key of [active, next?.key, ...retired.map((entry) => entry.key), ...others]) {
    if (key && !keys.has(key.kid)) keys.set(key.kid, key);
  }
  return keys;
}

// The alias moved on, or back, before the key was activated: another instance may have signed with it all the same.
function withoutNext(state: RotationState, times: RotationTimes, now: number): RotationState {
  if (!state.next) return state;
  const { next, ...rest } = state;
  return { ...rest, retired: retire(next.key, state.retired, times, now, next.activatesAt) };
}

function retire(
  key: VerificationKey | undefined,
  retired: RotationState['retired'],
  times: RotationTimes,
  now: number,
  knownAt = now,
): RotationState['retired'] {
  if (!key) return retired;
  return [
    ...retired.filter((entry) => entry.key.kid !== key.kid),
    { key, retiresAt: now + times.retireAfter, knownAt },
  ];
}
