import type { VerificationKey } from '../jwt/jwk.js';
import type { SigningKey } from './signing-key.js';

/** What a source says is trusted now. */
export interface FetchedKeys {
  /** The key that is to sign; none where nothing is signed. */
  readonly signing?: SigningKey;
  /** Further keys that verify and are published. */
  readonly others: readonly VerificationKey[];
  /** After how many seconds to ask again; none where the answer cannot change. */
  readonly freshFor?: number;
  /** Why some of `others` could not be fetched; they are left out. */
  readonly problem?: Error;
}

/** The keys of a service and their parts in a rotation. It is never changed: each step makes another. Times are milliseconds since 1970. */
export interface Ring {
  /** Signs. */
  readonly active?: SigningKey;
  /** Published, so that everybody knows it when it begins to sign. */
  readonly next?: { readonly key: SigningKey; readonly activatesAt: number };
  /** Signed before; their last tokens are still out. */
  readonly retired: readonly RetiredKey[];
  /** Verify and are published, as long as the source has them. */
  readonly others: readonly VerificationKey[];
}

export interface RetiredKey {
  readonly key: VerificationKey;
  readonly retiresAt: number;
  /** From when on everybody knows it: it may have been skipped before that. */
  readonly knownAt: number;
}

export const EMPTY_RING: Ring = { retired: [], others: [] };

/** How long the parts of a rotation last, in milliseconds. */
export interface RotationTimes {
  readonly activationDelay: number;
  readonly retireAfter: number;
}

/** The ring after a source has been asked. */
export function afterFetch(ring: Ring, fetched: FetchedKeys, times: RotationTimes, now: number): Ring {
  const settled = afterTime({ ...ring, others: fetched.others }, times, now);
  const { signing } = fetched;
  if (!signing) return settled;
  if (!settled.active) return { ...settled, active: signing };
  if (signing.kid === settled.active.kid) return withoutNext(settled, times, now);
  if (signing.kid === settled.next?.key.kid) return settled;

  // A key that was published before needs only the time that was left to it then.
  const before = ring.retired.find(({ key }) => key.kid === signing.kid)?.knownAt;
  const isKnown = ring.others.some(({ kid }) => kid === signing.kid);
  const activatesAt = isKnown ? now : Math.max(now, before ?? now + times.activationDelay);
  return afterTime({ ...withoutNext(settled, times, now), next: { key: signing, activatesAt } }, times, now);
}

/** The ring after nothing but time has passed. */
export function afterTime(ring: Ring, times: RotationTimes, now: number): Ring {
  const { active, next, ...rest } = ring;
  const isDue = next !== undefined && next.activatesAt <= now;
  const signing = isDue ? next.key : active;
  const retired = isDue ? retire(active, ring.retired, times, now) : ring.retired;
  return {
    ...rest,
    ...(signing && { active: signing }),
    ...(next && !isDue && { next }),
    retired: retired.filter(({ key, retiresAt }) => retiresAt > now && key.kid !== signing?.kid),
  };
}

/** The ring with its next key signing at once: its active one cannot. */
export function withoutActive(ring: Ring, times: RotationTimes, now: number): Ring {
  return ring.next ? afterTime({ ...ring, next: { ...ring.next, activatesAt: now } }, times, now) : ring;
}

/** The ring, with all keys of another as retired ones: of the time before a restart that is too long ago to go on from. */
export function withHistory(ring: Ring, past: Ring, times: RotationTimes, now: number): Ring {
  const known = keysOf(ring);
  const older = [...keysOf(past).values()].filter(({ kid }) => !known.has(kid));
  const retired = older.map((key) => ({
    key,
    retiresAt: past.retired.find((entry) => entry.key.kid === key.kid)?.retiresAt ?? now + times.retireAfter,
    knownAt: now,
  }));
  return { ...ring, retired: [...ring.retired, ...retired] };
}

/** When the ring next changes by itself. */
export function nextChange({ next, retired }: Ring): number {
  return Math.min(next?.activatesAt ?? Infinity, ...retired.map(({ retiresAt }) => retiresAt));
}

/** Every key that verifies, by its name; the parts of the rotation before others of the same name. */
export function keysOf({ active, next, retired, others }: Ring): Map<string, VerificationKey> {
  const keys = new Map<string, VerificationKey>();
  for (const key of [active, next?.key, ...retired.map((entry) => entry.key), ...others]) {
    if (key && !keys.has(key.kid)) keys.set(key.kid, key);
  }
  return keys;
}

// The alias moved on or back before its time: another process may have signed with that key all the same.
function withoutNext(ring: Ring, times: RotationTimes, now: number): Ring {
  if (!ring.next) return ring;
  const { next, ...rest } = ring;
  return { ...rest, retired: retire(next.key, ring.retired, times, now, next.activatesAt) };
}

function retire(
  key: VerificationKey | undefined,
  retired: Ring['retired'],
  times: RotationTimes,
  now: number,
  knownAt = now,
): Ring['retired'] {
  if (!key) return retired;
  return [
    ...retired.filter((entry) => entry.key.kid !== key.kid),
    { key, retiresAt: now + times.retireAfter, knownAt },
  ];
}
