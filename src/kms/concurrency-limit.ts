import { withDeadline, within } from '../async/deadline.js';
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

  /** Whether no slot is free. */
  get isFull(): boolean {
    return this.inFlight >= this.settings.maxConcurrency;
  }

  /**
   * Takes a slot, or waits for one. Every slot must be returned with `release`.
   *
   * @param maxWait the time limit in milliseconds
   * @returns undefined if a slot was free
   * @throws KmsUnavailableError if the queue is full, or if no slot is free in time; the reason of `signal` if it aborts
   */
  acquire(maxWait: number, signal?: AbortSignal): Promise<void> | undefined {
    if (this.isFull) return this.wait(maxWait, signal);
    this.inFlight += 1;
    return undefined;
  }

  private async wait(maxWait: number, signal: AbortSignal | undefined): Promise<void> {
    const { maxConcurrency, maxQueue } = this.settings;
    if (this.waiting.size >= maxQueue) {
      throw notMade(
        'overloaded',
        `maxConcurrency (${maxConcurrency}) and maxQueue (${maxQueue}) are exhausted`,
      );
    }
    const timeoutError = (blockedMs: number) =>
      notMade(
        blockedMs > 0 ? 'blocked' : 'overloaded',
        `maxConcurrency (${maxConcurrency}) is exhausted, and no slot was free ${within(maxWait, blockedMs)}`,
      );
    let start!: () => void;
    const started = new Promise<void>((resolve) => (start = resolve));
    this.waiting.add(start);
    try {
      // `maxWait` is half of the time limit of a call, which can be extended by at most its own length.
      await withDeadline(() => started, maxWait, timeoutError, signal, { extensionMs: 2 * maxWait });
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

function notMade(reason: 'overloaded' | 'blocked', problem: string): KmsUnavailableError {
  return new KmsUnavailableError(reason, `No KMS call was made: ${problem}`);
}
