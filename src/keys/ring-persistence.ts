import { withDeadline, within } from '../async/deadline.js';
import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { KmsJwtRingStore, StoredRing } from '../options/rotation.options.js';
import { EMPTY_STATE } from './rotation.js';
import { fromStored, isForeign, type RingBinding, type SavedState, toStored } from './ring-store.js';

/** The app's ring store, with a time limit for each call. It is never written before it was read. */
export class RingPersistence {
  /** Whether the content of the store is known: if not, writing could destroy keys that still verify. */
  isRead: boolean;
  private writing = Promise.resolve();
  private lastWarning: string | undefined;

  /**
   * @param store undefined if the keys need not survive a restart
   * @param binding what the store belongs to: the keys of another registration or another source are never used
   * @param timeout the time limit of each call of the store, in milliseconds
   * @param emit receives each failure of a call, and each new warning
   */
  constructor(
    private readonly store: KmsJwtRingStore | undefined,
    private readonly binding: RingBinding,
    private readonly timeout: number,
    private readonly emit: (event: KmsJwtEvent) => void,
  ) {
    this.isRead = store === undefined;
  }

  /** Whether there is a store, which other instances may write to. */
  get isUsed(): boolean {
    return this.store !== undefined;
  }

  /**
   * The state that was written last; undefined if there is none, or if the store failed.
   *
   * @throws KmsJwtOptionsError if the store belongs to another registration or another source, or is not safe
   */
  async read(): Promise<SavedState | undefined> {
    const { store } = this;
    if (!store) return undefined;
    try {
      const saved = await this.load(store);
      this.isRead = true;
      return saved;
    } catch (error) {
      if (error instanceof KmsJwtOptionsError) {
        this.isRead = false;
        throw error;
      }
      this.reportFailure(error);
      if (!isInvalidContent(error)) return undefined;
      this.isRead = true;
      const distrusted = distrustedIn(error);
      return distrusted.length > 0 ? { ...EMPTY_RING, distrusted } : undefined;
    }
  }

  /** Writes in the background, one state after the other. */
  write(saved: SavedState): void {
    const { store } = this;
    if (!store || !this.isRead) return;
    this.writing = this.writing
      .then(() => this.save(store, saved))
      .catch((error: unknown) => this.reportFailure(error));
  }

  /** Resolves when all writes have succeeded or failed. */
  async settle(): Promise<void> {
    await this.writing;
  }

  private async load(store: KmsJwtRingStore): Promise<SavedState | undefined> {
    const stored = await this.withinTimeout('load', () => store.load());
    this.warn(store.warning);
    if (isForeign(stored, this.binding)) {
      throw new KmsJwtOptionsError(
        'rotation.store',
        'belongs to a registration with another name or keyId: give each service its own store',
      );
    }
    try {
      return stored && fromStored(stored);
    } catch (error) {
      throw new InvalidRingError(stored, error);
    }
  }

  private reportFailure(error: unknown): void {
    this.emit({ type: 'store_failed', error: error as Error });
  }

  private warn(warning: string | undefined): void {
    if (warning !== undefined && warning !== this.lastWarning) this.emit({ type: 'store_unsafe', warning });
    this.lastWarning = warning;
  }

  /** Also writes the distrusted keys that another instance has written since the last read: they must never be lost. */
  private async save(store: KmsJwtRingStore, saved: SavedState): Promise<void> {
    const current = await this.load(store).catch(async (error: unknown) => {
      if (!isInvalidContent(error)) throw error;
      await this.withinTimeout('setAside', async () => store.setAside?.());
      return { ...EMPTY_RING, distrusted: distrustedIn(error) };
    });
    const distrusted = [...new Set([...saved.distrusted, ...(current?.distrusted ?? [])])];
    const longestLifetime = longest(saved.longestLifetime, current?.longestLifetime);
    const stored = toStored({ ...saved, distrusted, longestLifetime }, this.binding);
    await this.withinTimeout('save', () => store.save(stored));
  }

  private withinTimeout<T>(operation: 'load' | 'save' | 'setAside', call: () => Promise<T>): Promise<T> {
    const timeoutError = (blockedMs: number) =>
      new Error(`${operation}() of the ring store did not complete ${within(this.timeout, blockedMs)}`);
    return withDeadline(async () => call(), this.timeout, timeoutError);
  }
}

const EMPTY_RING: SavedState = {
  state: EMPTY_STATE,
  lookedUpAt: 0,
  longestLifetime: undefined,
  distrusted: [],
};

class InvalidRingError extends Error {
  /** The distrusted keys, as far as they can still be read: they may be stored nowhere else. */
  readonly distrusted: readonly string[];

  constructor(stored: unknown, cause: unknown) {
    super('The stored ring is invalid', { cause });
    const distrusted: unknown = (stored as Partial<StoredRing> | null)?.distrusted;
    const members: unknown[] = Array.isArray(distrusted) ? distrusted : [];
    this.distrusted = members.filter((member) => typeof member === 'string');
  }
}

function distrustedIn(error: unknown): readonly string[] {
  return error instanceof InvalidRingError ? error.distrusted : [];
}

/** Another instance may sign tokens that live longer, and the keys of this one must verify them. */
function longest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

/** Invalid content will not become valid: it may be overwritten. */
function isInvalidContent(error: unknown): boolean {
  return error instanceof InvalidRingError || error instanceof SyntaxError;
}
