import { BLOCKED_TIME, type BlockedTime } from './blocked-time.js';

/**
 * Waits for a promise, but only until the signal aborts. Leaves no listener on the signal.
 *
 * @throws the reason of the signal, or what the promise rejects with
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let abort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

export interface Extension {
  /** The maximum extension of the time limit because of blocked time, in milliseconds. Default: the time limit. */
  extensionMs?: number;
  /** Default: that of this process. */
  blockedTime?: BlockedTime;
}

/** Returns the error of a time limit. */
export interface TimeoutError {
  /**
   * @param blockedMs for how many milliseconds the event loop was blocked; 0 unless this left the operation less time than the
   * limit
   */
  (blockedMs: number): Error;
}

/**
 * A time limit that the steps of an operation share, from its construction to `end`. Time in which the event loop was blocked
 * does not count: after a block, timers run before answers that have arrived meanwhile are read.
 */
export class Deadline {
  private readonly blockedTime: BlockedTime;
  private readonly startedAt: number;
  private readonly blockedBefore: number;
  private extension: number;
  private timer: NodeJS.Timeout;
  private controller: AbortController | undefined;
  private readonly listeners = new Set<(blockedMs: number) => void>();
  /** For how long the event loop was blocked, once the time is up. */
  private passedAfter: number | undefined;

  /** @param timeoutMs the time limit in milliseconds */
  constructor(
    readonly timeoutMs: number,
    { extensionMs = timeoutMs, blockedTime = BLOCKED_TIME }: Extension = {},
  ) {
    this.blockedTime = blockedTime;
    this.extension = extensionMs;
    blockedTime.watch();
    this.startedAt = blockedTime.now();
    this.blockedBefore = blockedTime.total;
    this.timer = setTimeout(this.onTimer, timeoutMs);
  }

  /** How many milliseconds are left, without those in which the event loop was blocked. */
  get remainingMs(): number {
    return this.timeoutMs - (this.blockedTime.now() - this.startedAt);
  }

  /** Aborts when the time is up. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.passedAfter !== undefined) this.controller.abort();
    }
    return this.controller.signal;
  }

  /** Calls the listener when the time is up. @returns a function that removes it */
  onPassed(listener: (blockedMs: number) => void): () => void {
    if (this.passedAfter === undefined) this.listeners.add(listener);
    else listener(this.passedAfter);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Waits for a promise, but only until the time is up.
   *
   * @throws the timeout error, or what the promise rejects with
   */
  race<T>(promise: Promise<T>, timeoutError: TimeoutError): Promise<T> {
    return new Promise((resolve, reject) => {
      const removeListener = this.onPassed((blockedMs) => reject(timeoutError(blockedMs)));
      promise.then(
        (value) => {
          removeListener();
          resolve(value);
        },
        (error: unknown) => {
          removeListener();
          reject(error);
        },
      );
    });
  }

  /** To be called when the operation has ended. */
  end(): void {
    clearTimeout(this.timer);
    this.blockedTime.unwatch();
  }

  private readonly onTimer = (): void => {
    const blocked = this.blockedTime.total - this.blockedBefore;
    // Without a block, a timer that runs a fraction of a millisecond early is on time.
    const missing = blocked > 0 ? Math.floor(this.remainingMs) : 0;
    const more = Math.min(missing, this.extension);
    if (more > 0) {
      this.extension -= more;
      this.timer = setTimeout(this.onTimer, more);
    } else {
      this.pass(missing > 0 ? blocked : 0);
    }
  };

  private pass(blockedMs: number): void {
    this.passedAfter = blockedMs;
    for (const listener of this.listeners) listener(blockedMs);
    this.controller?.abort();
  }
}

/**
 * Runs an operation with a time limit that holds even if the operation ignores it.
 *
 * @param timeoutMs the time limit in milliseconds
 * @param signal ends the wait early
 * @throws the timeout error, the reason of `signal`, or what the operation rejects with
 */
export async function withDeadline<T>(
  run: (deadline: Deadline) => Promise<T>,
  timeoutMs: number,
  timeoutError: TimeoutError,
  signal?: AbortSignal,
  extension?: Extension,
): Promise<T> {
  signal?.throwIfAborted();
  const deadline = new Deadline(timeoutMs, extension);
  try {
    return await untilAborted(deadline.race(run(deadline), timeoutError), signal);
  } finally {
    deadline.end();
  }
}

/**
 * A time limit, for messages such as `KMS did not answer within 3000 ms`. It names the remedy if the event loop was blocked.
 *
 * @param blockedMs as `TimeoutError` receives it
 */
export function within(timeoutMs: number, blockedMs: number): string {
  const limit = `within ${timeoutMs} ms`;
  return blockedMs === 0 ? limit : `${limit}, as ${blockedFor(blockedMs)}`;
}

/** For messages: for how long the event loop was blocked, and what to do. */
export function blockedFor(blockedMs: number): string {
  const seconds = (blockedMs / 1000).toFixed(1);
  const advice = 'raise its CPU limits, or find the synchronous work on its event loop with node --cpu-prof';
  return `this process was blocked for ${seconds} s (${advice})`;
}
