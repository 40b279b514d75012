import { KmsUnavailableError } from '../errors/errors.js';
import { withDeadline } from '../async/deadline.js';

/** How many calls there may be at a time. */
export interface TurnSettings {
  maxConcurrency: number;
  maxQueue: number;
}

/** So many calls at a time, and so many that wait for their turn, in their order. */
export class Turns {
  private taken = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly settings: TurnSettings) {}

  /**
   * Whoever takes a turn has to `release` it.
   *
   * @param patience for how long it may be waited for, in milliseconds
   * @throws KmsUnavailableError for one too many, and where patience ends; the reason of `signal` when that aborts
   */
  async take(patience: number, signal?: AbortSignal): Promise<void> {
    const { maxConcurrency, maxQueue } = this.settings;
    if (this.taken < maxConcurrency) {
      this.taken += 1;
      return;
    }
    if (this.waiting.size >= maxQueue) {
      throw overloaded(`${maxConcurrency} calls are under way and ${maxQueue} wait`);
    }
    const late = () =>
      overloaded(`${maxConcurrency} calls are under way, and none of them ended within ${patience} ms`);
    let begin!: () => void;
    const turn = new Promise<void>((resolve) => (begin = resolve));
    this.waiting.add(begin);
    try {
      await withDeadline(() => turn, patience, late, signal);
    } catch (error) {
      // It may have come in the very moment in which it was given up.
      if (!this.waiting.delete(begin)) this.release();
      throw error;
    }
  }

  release(): void {
    const [begin] = this.waiting;
    if (!begin) {
      this.taken -= 1;
      return;
    }
    this.waiting.delete(begin);
    begin();
  }
}

function overloaded(why: string): KmsUnavailableError {
  return new KmsUnavailableError('overloaded', `No call of KMS was made: ${why}`);
}
