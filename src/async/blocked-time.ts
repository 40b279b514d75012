/** The time between two beats, in milliseconds. */
const BEAT_MS = 50;
/** A longer time than this between two beats shows that the event loop was blocked, in milliseconds. */
const BLOCKED_MS = 2 * BEAT_MS;
/** If the event loop was blocked for this long, in milliseconds, servers may have closed idle connections meanwhile. */
export const LONG_BLOCK_MS = 500;
/** Turns of the event loop: the current one, and those that read answers, read the ends of connections, and close these. */
const RECOVERY_TURNS = 4;

// An app's tests may replace the global timers: the beats would then run in simulated time, 72,000 in each simulated hour.
const { setImmediate: nextTurn, setTimeout: startTimer } = globalThis;
const monotonic = performance.now.bind(performance);

/**
 * Measures for how long the event loop of this process did not run: because of synchronous work, for lack of CPU, or because the
 * process was stopped. A timer that beats while something is watched shows it. The timer does not keep the process alive.
 */
export class BlockedTime {
  private watchers = 0;
  /** The blocked time in the gaps between the beats so far. */
  private sum = 0;
  /** The time of the last beat; -Infinity while no beat is due. */
  private beatAt = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private recovering: Promise<void> | undefined;

  /**
   * @param clock a monotonic clock in milliseconds
   * @param setTimer starts a timer
   */
  constructor(
    private readonly clock: () => number = monotonic,
    private readonly setTimer: (run: () => void, milliseconds: number) => NodeJS.Timeout = startTimer,
  ) {}

  /** The blocked time in milliseconds, as far as the event loop was watched. */
  get total(): number {
    return this.sum + blockedIn(this.gap);
  }

  /** A clock in milliseconds that leaves out the time in which the event loop was blocked. */
  readonly now = (): number => this.clock() - this.total;

  /**
   * After a long block, resolves when the event loop has caught up; otherwise undefined. A request that is sent earlier could be
   * lost on a connection that the server has already closed.
   */
  get recovery(): Promise<void> | undefined {
    if (blockedIn(this.gap) > 0) this.beat();
    return this.recovering;
  }

  /** Each call needs one call of `unwatch`. */
  watch(): void {
    this.watchers += 1;
    // No beat is due, or it is late. It never comes if tests replaced the timers before this file was loaded.
    if (this.gap < 0 || this.gap > BLOCKED_MS) this.beat();
  }

  unwatch(): void {
    this.watchers -= 1;
  }

  private get gap(): number {
    return this.clock() - this.beatAt;
  }

  private beat(): void {
    const blocked = blockedIn(this.gap);
    this.sum += blocked;
    if (blocked >= LONG_BLOCK_MS) this.recover();
    if (this.watchers === 0) {
      this.beatAt = -Infinity;
      return;
    }
    this.beatAt = this.clock();
    const timer = this.setTimer(() => {
      // `watch` was faster.
      if (timer === this.timer) this.beat();
    }, BEAT_MS).unref();
    this.timer = timer;
  }

  private recover(): void {
    const recovery = turns(RECOVERY_TURNS).then(() => {
      if (this.recovering === recovery) this.recovering = undefined;
    });
    this.recovering = recovery;
  }
}

/** The instance of this process. */
export const BLOCKED_TIME = new BlockedTime();

function blockedIn(gap: number): number {
  return gap > BLOCKED_MS && gap < Infinity ? gap : 0;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => nextTurn(resolve));
}
