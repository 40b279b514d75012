import { isSamePublicKey, type VerificationKey } from '../jwt/jwk.js';
import type { SigningKey } from './signing-key.js';

/** The keys that a source trusts now. */
export interface FetchedKeys {
  /** The key that is to sign; absent in a service that only verifies. */
  readonly signing?: SigningKey;
  /** Further keys that verify and are published. */
  readonly others: readonly VerificationKey[];
  /** After how many seconds to fetch again; absent if the answer cannot change. */
  readonly freshFor?: number;
  /** Why some of `others` could not be fetched and are left out, or why the URL of the key set could not be confirmed. */
  readonly problem?: Error;
}

/**
 * The keys of a service by their role in a rotation. Immutable: each step returns a new state. Times are milliseconds of
 * elapsed time.
 */
export interface RotationState {
  /** The key that signs. */
  readonly active?: SigningKey;
  /** Published ahead of time, so that every verifier has it before it signs. */
  readonly next?: NextKey;
  /** No longer sign here, but verify until their last tokens, of any instance, have expired. */
  readonly retired: readonly RetiredKey[];
  /** Verify and are published as long as the source lists them. */
  readonly others: readonly VerificationKey[];
  /** Since when `others` have been published; from a restart to the next fetch, it also contains keys that are no longer trusted. */
  readonly published: readonly PublishedKey[];
}

export interface NextKey {
  readonly key: SigningKey;
  /** When the alias was first seen to point to it. */
  readonly seenAt: number;
  /** It signs when a lookup that is answered at this time or later shows that the alias still points to it. */
  readonly activatesAt: number;
}

export interface PublishedKey {
  readonly key: VerificationKey;
  readonly publishedAt: number;
}

export interface RetiredKey {
  readonly key: SigningKey;
  /** When the alias was seen to point to another key. The options decide how long it verifies after that. */
  readonly leftAt: number;
}

export const EMPTY_STATE: RotationState = { retired: [], others: [], published: [] };

/** How long the phases of a rotation last, in milliseconds. The proof that they suffice is in ARCHITECTURE.md. */
export interface RotationTimes {
  readonly activationDelay: number;
  /** The time within which every instance looks up the alias again. */
  readonly lookupInterval: number;
  /** For how long KMS may still answer with the key from before a move. */
  readonly propagation: number;
  /** The lifetime of tokens, plus the tolerance of their verifiers. */
  readonly retireAfter: number;
}

/** A lookup of the alias. */
export interface Lookup {
  /** Undefined if the alias points to a key that is distrusted. */
  readonly target: SigningKey | undefined;
  /** When it was answered. */
  readonly now: number;
  /** When it was first known that the alias points to that key; `now`, unless Sign has shown it before. */
  readonly seenAt: number;
  /** When the last earlier lookup for which `follows` is true was sent. */
  readonly lastAt: number;
  /** How much more time may have passed since a lookup last showed the active key, if clocks disagree. */
  readonly unexplained: number;
}

/** The state after a fetch. `lookup` is undefined in a service that only verifies. */
export function afterFetch(
  state: RotationState,
  others: readonly VerificationKey[],
  lookup: Lookup | undefined,
  times: RotationTimes,
  now: number,
): RotationState {
  const published = others.map((key) => ({ key, publishedAt: publishedAt(key, state, now) }));
  const current = afterTime({ ...state, others, published }, times, now);
  return lookup ? afterLookup(current, lookup, times) : current;
}

/** The state after a lookup of the alias. The passing of time alone never makes another key sign. */
export function afterLookup(state: RotationState, lookup: Lookup, times: RotationTimes): RotationState {
  const { active, next } = state;
  const { target, now } = lookup;
  // A move like any other, but to a key that never signs.
  if (!target) return { ...state, retired: extended(state.retired, lookup, times) };
  // The last active key may have been distrusted; where the alias has pointed since then is unknown.
  if (!active)
    return { ...state, active: target, retired: withoutKey(extended(state.retired, lookup, times), target) };
  // The alias may have moved away and back meanwhile: then the other instances sign with the active key, and with those before it,
  // for that much longer.
  const mayHaveMoved = isLate(lookup, times) || lookup.unexplained > 0;
  const current = mayHaveMoved ? { ...state, retired: extended(state.retired, lookup, times) } : state;
  if (next?.key.kid === target.kid) {
    const seen = { ...current, next: { ...next, key: target, ...(mayHaveMoved && { seenAt: now }) } };
    return next.activatesAt <= now ? activated(seen) : seen;
  }
  if (!next && active.kid === target.kid) {
    // A replica of a Multi-Region key has another ARN.
    return active.keyArn === target.keyArn ? current : { ...current, active: target };
  }

  const moved = withoutNext({ ...state, retired: extended(state.retired, lookup, times) }, now);
  if (active.kid === target.kid) return moved;
  const activatesAt = Math.max(now, activationTime(state, target, lookup, times));
  const waiting = { ...moved, next: { key: target, seenAt: lookup.seenAt, activatesAt } };
  return activatesAt <= now ? activated(waiting) : waiting;
}

/** Whether a lookup shows which key the other instances sign with: a late one does not if its key may not sign. */
export function follows(lookup: Lookup, times: RotationTimes): boolean {
  return lookup.target !== undefined || !isLate(lookup, times);
}

/** Until when the active key may sign without another lookup: every other instance trusts its tokens at least until then. */
export function signsUntil({ next }: RotationState, times: RotationTimes, lastAt: number): number {
  return next ? next.activatesAt : lastAt + times.lookupInterval + times.activationDelay;
}

/** The state after only time has passed. */
export function afterTime(state: RotationState, times: RotationTimes, now: number): RotationState {
  return { ...state, retired: state.retired.filter((entry) => retiresAt(entry, times) > now) };
}

/** The state after the active key has failed to sign: the next key signs at once, if there is one. */
export function afterEarlyRetirement(state: RotationState, times: RotationTimes, now: number): RotationState {
  return afterTime(activated(state), times, now);
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

/** A stored state in which times too far in the future are corrected: a clock may have been wrong when they were stored. */
export function plausibleAt(state: RotationState, times: RotationTimes, now: number): RotationState {
  const { next, retired, published } = state;
  return {
    ...state,
    ...(next && {
      next: {
        ...next,
        seenAt: Math.min(next.seenAt, now),
        activatesAt: Math.min(next.activatesAt, now + times.activationDelay),
      },
    }),
    retired: retired.map((entry) => ({ ...entry, leftAt: Math.min(entry.leftAt, now) })),
    published: published.map((entry) => ({ ...entry, publishedAt: Math.min(entry.publishedAt, now) })),
  };
}

/** The state with all its times moved by that many milliseconds: elapsed time and the wall clock may differ. */
export function shifted(state: RotationState, by: number): RotationState {
  const { next, retired, published } = state;
  return {
    ...state,
    ...(next && { next: { ...next, seenAt: next.seenAt + by, activatesAt: next.activatesAt + by } }),
    retired: retired.map((entry) => ({ ...entry, leftAt: entry.leftAt + by })),
    published: published.map((entry) => ({ ...entry, publishedAt: entry.publishedAt + by })),
  };
}

/** The state with all keys of a past one as retired keys: used if other keys are in use already. */
export function withPastKeys(state: RotationState, past: RotationState, now: number): RotationState {
  const known = keysOf(state);
  const signing = [past.active, past.next?.key].flatMap((key) => (key ? [{ key, leftAt: now }] : []));
  const others = past.retired.filter(({ key }) => !signing.some((entry) => entry.key.kid === key.kid));
  const older = [...signing, ...others].filter(({ key }) => !known.has(key.kid));
  return {
    ...state,
    retired: [...state.retired, ...older],
    published: [...state.published, ...publishedAnew(past, now).published],
  };
}

/** The state with all keys as published from now on: whether they were published all the time before is unknown. */
export function publishedAnew(state: RotationState, now: number): RotationState {
  return { ...state, published: state.published.map((entry) => ({ ...entry, publishedAt: now })) };
}

/** When the state next changes by the passing of time alone; Infinity if it does not. */
export function nextChange({ retired }: RotationState, times: RotationTimes): number {
  return Math.min(Infinity, ...retired.map((entry) => retiresAt(entry, times)));
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

/** Whether the previous lookup is so old that moves may have been missed. Wrong clocks do not count: see `unexplained`. */
function isLate({ seenAt, lastAt }: Lookup, { lookupInterval }: RotationTimes): boolean {
  return seenAt - lastAt > lookupInterval;
}

/** The time from which the key of a lookup may sign, unless the alias moves again; a time in the past means at once. */
function activationTime(
  state: RotationState,
  target: SigningKey,
  lookup: Lookup,
  times: RotationTimes,
): number {
  const { now, seenAt, lastAt } = lookup;
  const knownAt = Math.min(seenAt, publishedAt(target, state, now)) + times.activationDelay;
  // The alias may have moved right after the last lookup: then the other instances drop the active key that much earlier.
  return isLate(lookup, times) ? Math.min(knownAt, signsUntil(state, times, lastAt)) : knownAt;
}

/** The state in which the next key signs. */
function activated(state: RotationState): RotationState {
  const { active, next, ...rest } = state;
  if (!next) return state;
  const retired = active ? retire(active, rest.retired, next.seenAt) : rest.retired;
  return { ...rest, active: next.key, retired: withoutKey(retired, next.key) };
}

// The alias moved on, or back, before the key was activated: another instance may nevertheless have signed with it.
function withoutNext(state: RotationState, now: number): RotationState {
  const { next, ...rest } = state;
  return next ? { ...rest, retired: retire(next.key, rest.retired, now) } : state;
}

/**
 * Keeps retired keys for longer: an instance that saw the alias move again, before it had activated the key of the last move,
 * continues to sign with the key before that until it activates the key of the new move.
 */
function extended(
  retired: readonly RetiredKey[],
  { now, lastAt }: Lookup,
  times: RotationTimes,
): RotationState['retired'] {
  // The alias may have moved again right after the last lookup.
  const mayStillSign = ({ leftAt }: RetiredKey) =>
    leftAt + times.activationDelay + 2 * seenWithin(times) >= lastAt;
  return retired.map((entry) => (mayStillSign(entry) ? { ...entry, leftAt: now } : entry));
}

function retire(
  key: SigningKey,
  retired: RotationState['retired'],
  leftAt: number,
): RotationState['retired'] {
  return [...withoutKey(retired, key), { key, leftAt }];
}

function withoutKey(retired: RotationState['retired'], { kid }: VerificationKey): RotationState['retired'] {
  return retired.filter(({ key }) => key.kid !== kid);
}

/** Since when a key has been published as one of `others`; `now` if it was not. */
function publishedAt(one: VerificationKey, { published }: RotationState, now: number): number {
  const same = published.filter(({ key }) => key.kid === one.kid && isSamePublicKey(key, one));
  return Math.min(now, ...same.map((entry) => entry.publishedAt));
}

/**
 * Another instance may sign with the key until it has seen the alias move, and for `activationDelay` after that. If the alias
 * moves again in this time, the key is kept for longer: it must still be there when this instance sees that.
 */
function retiresAt({ leftAt }: RetiredKey, times: RotationTimes): number {
  return leftAt + seenWithin(times) + times.activationDelay + Math.max(times.retireAfter, seenWithin(times));
}

/** The time within which every instance sees that the alias has moved. */
function seenWithin({ propagation, lookupInterval }: RotationTimes): number {
  return propagation + lookupInterval;
}
