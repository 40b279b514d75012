import { ALGORITHMS } from '../jwt/algorithms.js';
import { verificationKeyFrom, type VerificationKey } from '../jwt/jwk.js';
import type { StoredRing } from '../options/rotation.options.js';
import type { RotationState } from './rotation.js';
import type { SigningKey } from './signing-key.js';

/** What a stored ring belongs to. */
export interface RingBinding {
  /** The name of the module's registration. */
  readonly instance: string;
  /** The value of the option that says where the keys come from. */
  readonly source: string;
}

/** A state, with what is needed to resume it after a restart. Times are milliseconds since 1970, by the wall clock. */
export interface SavedState {
  state: RotationState;
  /** When the alias was last looked up. */
  lookedUpAt: number;
  /** The lifetime of the longest-lived token that was signed here, in seconds. */
  longestLifetime: number | undefined;
  /** The kids and thumbprints of keys that are never trusted again. */
  distrusted: readonly string[];
}

export function toStored(
  { state, lookedUpAt, longestLifetime, distrusted }: SavedState,
  { instance, source }: RingBinding,
): StoredRing {
  const { active, next, retired, published } = state;
  return {
    instance,
    source,
    lookedUpAt,
    ...(longestLifetime !== undefined && { longestLifetime }),
    ...(active && { active: { keyArn: active.keyArn, jwk: active.jwk } }),
    ...(next && {
      next: {
        keyArn: next.key.keyArn,
        jwk: next.key.jwk,
        seenAt: next.seenAt,
        activatesAt: next.activatesAt,
      },
    }),
    retired: retired.map(({ key, leftAt }) => ({ keyArn: key.keyArn, jwk: key.jwk, leftAt })),
    published: published.map((entry) => ({ jwk: entry.key.jwk, publishedAt: entry.publishedAt })),
    distrusted: [...distrusted],
  };
}

/** Whether a stored ring says that it belongs to another registration or another key. */
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
  const { instance, source, active, next, retired, published, lookedUpAt, longestLifetime, distrusted } =
    stored;
  readString(instance);
  readString(source);
  return {
    lookedUpAt: readTime(lookedUpAt),
    longestLifetime: longestLifetime === undefined ? undefined : readTime(longestLifetime),
    distrusted: distrusted.map(readString),
    state: {
      ...(active && { active: readSigningKey(active) }),
      ...(next && {
        next: {
          key: readSigningKey(next),
          seenAt: readTime(next.seenAt),
          activatesAt: readTime(next.activatesAt),
        },
      }),
      retired: retired.map((entry) => ({ key: readSigningKey(entry), leftAt: readTime(entry.leftAt) })),
      others: [],
      published: published.map((entry) => ({
        key: readKey(entry.jwk),
        publishedAt: readTime(entry.publishedAt),
      })),
    },
  };
}

function readSigningKey({ keyArn, jwk }: { keyArn: unknown; jwk: unknown }): SigningKey {
  return { ...readKey(jwk), keyArn: readString(keyArn) };
}

function readKey(jwk: unknown): VerificationKey {
  const key = verificationKeyFrom(jwk, ALGORITHMS);
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
