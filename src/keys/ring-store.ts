import { randomUUID } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { verificationKeyFrom } from '../jwt/jwk.js';
import type { KmsJwtRingStore, StoredRing } from '../kms-jwt.options.js';
import { EMPTY_RING, type Ring } from './rotation.js';

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
    await writeFile(draft, JSON.stringify(ring, undefined, 2), { mode: 0o600 });
    await chmod(draft, 0o600);
    await rename(draft, this.path);
  }
}

export function toStored({ active, next, retired }: Ring): StoredRing {
  return {
    ...(active && { active: { keyArn: active.keyArn, jwk: active.jwk } }),
    ...(next && { next: { keyArn: next.key.keyArn, jwk: next.key.jwk, activatesAt: next.activatesAt } }),
    retired: retired.map(({ key, retiresAt }) => ({ jwk: key.jwk, retiresAt })),
  };
}

/** @throws TypeError for what no ring was stored as */
export function fromStored(stored: StoredRing | undefined): Ring {
  if (!stored) return EMPTY_RING;
  const { active, next, retired } = stored;
  return {
    ...(active && { active: { ...keyFrom(active.jwk), keyArn: textFrom(active.keyArn) } }),
    ...(next && {
      next: {
        key: { ...keyFrom(next.jwk), keyArn: textFrom(next.keyArn) },
        activatesAt: timeFrom(next.activatesAt),
      },
    }),
    retired: retired.map(({ jwk, retiresAt }) => ({
      key: keyFrom(jwk),
      retiresAt: timeFrom(retiresAt),
      knownAt: 0,
    })),
    others: [],
  };
}

function keyFrom(jwk: unknown) {
  const key = verificationKeyFrom(jwk);
  if (!key) throw new TypeError('The stored ring holds a key that is none');
  return key;
}

function textFrom(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('The stored ring holds an ARN that is none');
  return value;
}

function timeFrom(value: unknown): number {
  if (!Number.isFinite(value)) throw new TypeError('The stored ring holds a time that is none');
  return value as number;
}
