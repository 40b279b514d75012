import { randomUUID } from 'node:crypto';
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { verificationKeyFrom, type VerificationKey } from '../jwt/jwk.js';
import type { KmsJwtRingStore, StoredRing } from '../options/rotation.options.js';
import type { RotationState } from './rotation.js';

/**
 * Stores the keys of a rotation in a file with mode 0600. Each write goes to a temporary file that then replaces the old one,
 * so that no reader sees an incomplete file.
 *
 * @example
 * KmsJwtModule.forRoot({ keyId: 'alias/auth', rotation: { store: new FileRingStore('/var/lib/my-app/ring.json') } })
 */
export class FileRingStore implements KmsJwtRingStore {
  constructor(private readonly path: string) {}

  async load(): Promise<StoredRing | undefined> {
    try {
      return JSON.parse(await readFile(this.path, 'utf8')) as StoredRing;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async save(ring: StoredRing): Promise<void> {
    const draft = `${this.path}.${randomUUID()}`;
    try {
      await writeFile(draft, JSON.stringify(ring, undefined, 2), { mode: 0o600 });
      await chmod(draft, 0o600);
      await rename(draft, this.path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }
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
  instance: string,
): StoredRing {
  const { active, next, retired, published } = state;
  return {
    instance,
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

/** @throws TypeError if the content of the store is invalid */
export function fromStored(stored: StoredRing): SavedState {
  const { instance, active, next, retired, published, savedAt, longestLifetime, distrusted } = stored;
  readString(instance);
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
