import { KmsJwtOptionsError } from '../errors/errors.js';
import type { Clock } from '../keys/clock.js';
import type { Duration } from '../options/duration.js';
import { duration as durationRule, toSeconds } from '../options/option-rules.js';

/**
 * The clock of the module in a test. It stands still until the test moves it. `sign`, `verify`, open connections and rotations use
 * it; limits such as `limits.timeout` use real time.
 */
export class TestClock implements Clock {
  private timers: { readonly at: number; readonly run: () => void }[] = [];
  private time: number;

  /** @internal */
  constructor(now: Date) {
    this.time = now.getTime();
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.time;
  }

  /**
   * Moves the time forward. Whatever becomes due, such as a refresh of the keys, is started in order; this method does not wait for
   * its calls.
   *
   * @throws KmsJwtOptionsError for a value that is not a positive duration
   *
   * @example
   * ```ts
   * clock.advance('15m');
   * ```
   */
  advance(duration: Duration): void {
    const [accepts, expected] = durationRule;
    if (!accepts(duration)) throw new KmsJwtOptionsError('advance', expected);
    const end = this.time + toSeconds(duration) * 1000;
    for (let next = this.takeDue(end); next; next = this.takeDue(end)) {
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = end;
  }

  /** @internal */
  monotonic(): number {
    return this.time;
  }

  /** @internal */
  uptime(): number {
    return this.time;
  }

  /** @internal */
  schedule(run: () => void, milliseconds: number): () => void {
    const timer = { at: this.time + milliseconds, run };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  }

  private takeDue(end: number) {
    const [first] = this.timers.filter(({ at }) => at <= end).toSorted((one, other) => one.at - other.at);
    this.timers = this.timers.filter((timer) => timer !== first);
    return first;
  }
}
