import { withDeadline } from '../async/deadline.js';
import { KmsUnavailableError } from '../errors/errors.js';

export interface ConcurrencySettings {
  /** The number of calls that can be in flight at a time. */
  maxConcurrency: number;
  /** The number of further calls that can wait for a slot. */
  maxQueue: number;
}

/** Limits the calls in flight, and queues further calls in the order of their arrival. */
export class ConcurrencyLimit {
  private inFlight = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly settings: ConcurrencySettings) {}

  /**
   * Waits for a free slot. Every slot must be given back with `release`.
   *
   * @param maxWait the time limit in milliseconds
   * @throws KmsUnavailableError if the queue is full, or if no slot is free in time; the reason of `signal` if it aborts
   */
  async acquire(maxWait: number, signal?: AbortSignal): Promise<void> {
    const { maxConcurrency, maxQueue } = this.settings;
    if (this.inFlight < maxConcurrency) {
      this.inFlight += 1;
      return;
    }
    if (this.waiting.size >= maxQueue) {
      throw overloaded(`maxConcurrency (${maxConcurrency}) and maxQueue (${maxQueue}) are exhausted`);
    }
    const timeoutError = () =>
      overloaded(
        `maxConcurrency (${maxConcurrency}) is exhausted, and no slot was free within ${maxWait} ms`,
      );
    let start!: () => void;
    const started = new Promise<void>((resolve) => (start = resolve));
    this.waiting.add(start);
    try {
      await withDeadline(() => started, maxWait, timeoutError, signal);
    } catch (error) {
      // Not in the queue any more: `release` gave the slot to this call just before the wait ended. Pass it on.
      if (!this.waiting.delete(start)) this.release();
      throw error;
    }
  }

  /** Gives the slot to the next call in the queue, or frees it. */
  release(): void {
    const [start] = this.waiting;
    if (!start) {
      this.inFlight -= 1;
      return;
    }
    this.waiting.delete(start);
    start();
  }
}

function overloaded(problem: string): KmsUnavailableError {
  return new KmsUnavailableError('overloaded', `No KMS call was made: ${problem}`);
}
