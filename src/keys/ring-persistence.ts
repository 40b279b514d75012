import { withDeadline } from '../async/deadline.js';
import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtRingStore } from '../options/rotation.options.js';
import { fromStored, type SavedState, toStored } from './ring-store.js';

/** The user's ring store, with a deadline for each call. It is never written before it was read. */
export class RingPersistence {
  /** Whether the content of the store is known: if not, writing could destroy keys that still verify. */
  isRead: boolean;
  private writing = Promise.resolve();

  /**
   * @param store undefined if the keys need not survive a restart
   * @param instance the name of the module's instance, which never takes over the keys of another one
   * @param timeout of each call of the store, in milliseconds
   * @param onFailure receives the error of each failed call
   */
  constructor(
    private readonly store: KmsJwtRingStore | undefined,
    private readonly instance: string,
    private readonly timeout: number,
    private readonly onFailure: (error: Error) => void,
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
   * @throws KmsJwtOptionsError if the store belongs to another instance
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
      this.onFailure(error as Error);
      if (isInvalidContent(error)) this.isRead = true;
      return undefined;
    }
  }

  /** Writes in the background, one state after the other. */
  write(saved: SavedState): void {
    const { store } = this;
    if (!store || !this.isRead) return;
    this.writing = this.writing
      .then(() => this.save(store, saved))
      .catch((error: unknown) => this.onFailure(error as Error));
  }

  /** Resolves when all writes have succeeded or failed. */
  async settle(): Promise<void> {
    await this.writing;
  }

  private async load(store: KmsJwtRingStore): Promise<SavedState | undefined> {
    const stored = await this.withinTimeout('load', () => store.load());
    const saved = stored && fromStored(stored);
    if (stored && stored.instance !== this.instance) {
      throw new KmsJwtOptionsError(
        'rotation.store',
        'belongs to another instance: give each instance its own store',
      );
    }
    return saved;
  }

  /** Keeps the distrusted keys that another instance has written since the last read: they must never be lost. */
  private async save(store: KmsJwtRingStore, saved: SavedState): Promise<void> {
    const current = await this.load(store).catch((error: unknown) => {
      if (isInvalidContent(error)) return undefined;
      throw error;
    });
    const distrusted = new Set([...saved.distrusted, ...(current?.distrusted ?? [])]);
    const stored = toStored({ ...saved, distrusted: [...distrusted] }, this.instance);
    await this.withinTimeout('save', () => store.save(stored));
  }

  private withinTimeout<T>(operation: 'load' | 'save', call: () => Promise<T>): Promise<T> {
    const timeoutError = () =>
      new Error(`${operation}() of the ring store did not complete within ${this.timeout} ms`);
    return withDeadline(async () => call(), this.timeout, timeoutError);
  }
}

/** Invalid content will not become valid: it may be overwritten. */
function isInvalidContent(error: unknown): boolean {
  return error instanceof TypeError || error instanceof SyntaxError;
}
