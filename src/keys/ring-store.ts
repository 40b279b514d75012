import { randomUUID } from 'node:crypto';
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { verificationKeyFrom } from '../jwt/jwk.js';
import type { KmsJwtRingStore, StoredRing } from '../options/kms-jwt.options.js';
import type { Ring } from './rotation.js';

/**
 * Keeps the ring in a file of mode 0600, which is written beside it and moved there, so that no reader sees half of it.
 *
 * @example
 * KmsJwtModule.forRoot({ keyId: 'alias/auth', ringStore: new FileRingStore('/var/lib/my-app/ring.json') })
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

/** A ring, and what has to be known of it when it comes back. */
export interface KeptRing {
  ring: Ring;
  /** Milliseconds since 1970. */
  savedAt: number;
  /** How long the longest-lived token of its keys lives, in seconds. */
  longestLifetime: number | undefined;
}

export function toStored({ ring, savedAt, longestLifetime }: KeptRing, instance: string): StoredRing {
  const { active, next, retired } = ring;
  return {
    instance,
    savedAt,
    ...(longestLifetime !== undefined && { longestLifetime }),
    ...(active && { active: { keyArn: active.keyArn, jwk: active.jwk } }),
    ...(next && { next: { keyArn: next.key.keyArn, jwk: next.key.jwk, activatesAt: next.activatesAt } }),
    retired: retired.map(({ key, retiresAt, knownAt }) => ({ jwk: key.jwk, retiresAt, knownAt })),
  };
}

/** @throws TypeError for what no ring was stored as */
export function fromStored(stored: StoredRing): KeptRing {
  const { instance, active, next, retired, savedAt, longestLifetime } = stored;
  textFrom(instance);
  return {
    savedAt: timeFrom(savedAt),
    longestLifetime: longestLifetime === undefined ? undefined : timeFrom(longestLifetime),
    ring: {
      ...(active && { active: { ...keyFrom(active.jwk), keyArn: textFrom(active.keyArn) } }),
      ...(next && {
        next: {
          key: { ...keyFrom(next.jwk), keyArn: textFrom(next.keyArn) },
          activatesAt: timeFrom(next.activatesAt),
        },
      }),
      retired: retired.map(({ jwk, retiresAt, knownAt }) => ({
        key: keyFrom(jwk),
        retiresAt: timeFrom(retiresAt),
        knownAt: timeFrom(knownAt),
      })),
      others: [],
    },
  };
}

function keyFrom(jwk: unknown) {
  const key = verificationKeyFrom(jwk);
  if (!key) throw new TypeError('The stored ring holds a key that is none');
  return key;
}

function textFrom(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('The stored ring holds a text that is none');
  return value;
}

function timeFrom(value: unknown): number {
  if (!Number.isFinite(value)) throw new TypeError('The stored ring holds a time that is none');
  return value as number;
}
