import { verificationKeyFrom, type VerificationKey } from '../jwt/jwk.js';
import type { StoredRing } from '../options/rotation.options.js';
import type { RotationState } from './rotation.js';

/** What a stored ring belongs to. */
export interface RingBinding {
  /** The name of the module's instance. */
  readonly instance: string;
  /** The option that says where the keys come from. */
  readonly source: string;
}

/** A state, with what is needed to resume it after a restart. */
export interface SavedState {
  state: RotationState;
  /** Milliseconds since 1970. */
  savedAt: number;
  /** The lifetime of the longest-lived token that was signed here, in seconds. */
  longestLifetime: number | undefined;
  /** The kids and thumbprints of keys that are never trusted again. */
  distrusted: readonly string[];
}

export function toStored(
  { state, savedAt, longestLifetime, distrusted }: SavedState,
  { instance, source }: RingBinding,
): StoredRing {
  const { active, next, retired, published } = state;
  return {
    instance,
    source,
    savedAt,
    ...(longestLifetime !== undefined && { longestLifetime }),
    ...(active && { active: { keyArn: active.keyArn, jwk: active.jwk } }),
    ...(next && { next: { keyArn: next.key.keyArn, jwk: next.key.jwk, activatesAt: next.activatesAt } }),
    retired: retired.map(({ key, stoppedSigningAt, knownAt }) => ({
      jwk: key.jwk,
      stoppedSigningAt,
      knownAt,
    })),
    published: published.map((entry) => ({ jwk: entry.key.jwk, publishedAt: entry.publishedAt })),
    distrusted: [...distrusted],
  };
}

/** Whether a stored ring says that it belongs to another instance or another key. */
export function isForeign(stored: unknown, binding: RingBinding): boolean {
  if (typeof stored !== 'object' || stored === null) return false;
  const { instance, source } = stored as Partial<StoredRing>;
  return differs(instance, binding.instance) || differs(source, binding.source);
}

function differs(value: unknown, own: string): boolean {
  return typeof value === 'string' && value !== own;
}

/** @throws TypeError if the content of the store is invalid */
export function fromStored(stored: StoredRing): SavedState {
  const { instance, source, active, next, retired, published, savedAt, longestLifetime, distrusted } = stored;
  readString(instance);
  readString(source);
  return {
    savedAt: readTime(savedAt),
    longestLifetime: longestLifetime === undefined ? undefined : readTime(longestLifetime),
    distrusted: distrusted.map(readString),
    state: {
      ...(active && { active: { ...readKey(active.jwk), keyArn: readString(active.keyArn) } }),
      ...(next && {
        next: {
          key: { ...readKey(next.jwk), keyArn: readString(next.keyArn) },
          activatesAt: readTime(next.activatesAt),
        },
      }),
      retired: retired.map(({ jwk, stoppedSigningAt, knownAt }) => ({
        key: readKey(jwk),
        stoppedSigningAt: readTime(stoppedSigningAt),
        knownAt: readTime(knownAt),
      })),
      others: [],
      published: published.map((entry) => ({
        key: readKey(entry.jwk),
        publishedAt: readTime(entry.publishedAt),
      })),
    },
  };
}

function readKey(jwk: unknown): VerificationKey {
  const key = verificationKeyFrom(jwk);
  if (!key) throw new TypeError('The stored ring contains an invalid key');
  return key;
}

function readString(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('The stored ring contains an invalid string');
  return value;
}

function readTime(value: unknown): number {
  if (!Number.isFinite(value)) throw new TypeError('The stored ring contains an invalid time');
  return value as number;
}
