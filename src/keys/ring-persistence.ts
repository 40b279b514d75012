import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtRingStore } from '../options/kms-jwt.options.js';
import { withDeadline } from '../async/deadline.js';
import { fromStored, type KeptRing, toStored } from './ring-store.js';

/** What keeps a ring over restarts: the user's store, bounded in time, and never written before it was read. */
export class RingKeeper {
  /** Whether nothing that is kept is unknown here. */
  isRead: boolean;
  private writing = Promise.resolve();

  /**
   * @param instance the name of the module's instance: another's keys are never taken for its own
   * @param timeout of one call of the store, in milliseconds
   * @param tell hears of every failure
   */
  constructor(
    private readonly store: KmsJwtRingStore | undefined,
    private readonly instance: string,
    private readonly timeout: number,
    private readonly tell: (error: Error) => void,
  ) {
    this.isRead = store === undefined;
  }

  /**
   * What was written last; undefined where nothing was, or where that cannot be told now.
   *
   * @throws KmsJwtOptionsError where the store is another instance's
   */
  async read(): Promise<KeptRing | undefined> {
    const { store } = this;
    if (!store) return undefined;
    try {
      const stored = await this.within('load', () => store.load());
      const kept = stored && fromStored(stored);
      if (stored && stored.instance !== this.instance) {
        const problem = `holds the keys of the instance '${stored.instance}', not of '${this.instance}'`;
        throw new KmsJwtOptionsError('ringStore', `${problem}: give each instance a store of its own`);
      }
      this.isRead = true;
      return kept;
    } catch (error) {
      if (error instanceof KmsJwtOptionsError) throw error;
      this.tell(error as Error);
      // What is there but is no ring will never be one.
      if (error instanceof TypeError || error instanceof SyntaxError) this.isRead = true;
      return undefined;
    }
  }

  /** Writes in the background, one after the other. */
  write(ring: KeptRing): void {
    const { store } = this;
    if (!store || !this.isRead) return;
    const stored = toStored(ring, this.instance);
    this.writing = this.writing
      .then(() => this.within('save', () => store.save(stored)))
      .catch((error: unknown) => this.tell(error as Error));
  }

  /** Until what was written last is kept, or has failed. */
  async settle(): Promise<void> {
    await this.writing;
  }

  private within<T>(what: string, call: () => Promise<T>): Promise<T> {
    const late = () => new Error(`${what} of the ringStore did not answer within ${this.timeout} ms`);
    return withDeadline(async () => call(), this.timeout, late);
  }
}
