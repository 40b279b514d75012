import { type SignatureCheck, verifySignature } from './signature.js';

/** The number of checks that can be on the thread pool at a time. Further ones wait before their tokens are read. */
const MAX_IN_POOL = 64;
/** The number of tokens that are read in a turn of the event loop, in about 5 ms, after which others wait for the next turn. */
const MAX_IN_TURN = 64;
/** The number of known tokens that are answered in a turn, in about 2 ms. */
const MAX_KNOWN_IN_TURN = 1000;
/** The pool is slow if none of the checks that wait there has ended for this long, in milliseconds. */
const SLOW_MS = 5;
/** A trial that takes longer than this, and than a turn of the event loop, shows that the pool has other work, in milliseconds. */
const TRIAL_MS = 1;
/** The minimum time between two trials, in milliseconds. */
const TRIAL_INTERVAL_MS = 50;
/** The largest number of trials that have to succeed in a row before the pool is used again. */
const MAX_TRIALS = 64;
/** After this long without a slow check, one trial is enough again, in milliseconds. */
const FORGIVEN_MS = 10_000;

/** Checks a signature on this thread, or with a callback on the thread pool. */
export interface SignatureVerifier {
  (check: SignatureCheck): boolean;
  (check: SignatureCheck, callback: (error: Error | null, isValid: boolean) => void): void;
}

/** A check on the thread pool. */
interface PoolCheck extends SignatureCheck {
  readonly resolve: (isValid: boolean) => void;
  result: boolean | undefined;
}

export interface SignatureChecksOptions {
  readonly verifier?: SignatureVerifier;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
  /** Runs a function once, after that many milliseconds and after the results that the pool has by then. */
  readonly runIn?: (milliseconds: number, run: () => void) => void;
}

// An app's tests may replace the global timers with timers that never run.
const { setImmediate, setTimeout } = globalThis;
// Costs less than queueMicrotask, which creates an AsyncResource.
const SETTLED = Promise.resolve();
const nextTick = process.nextTick.bind(process);

/**
 * Checks signatures where that is fastest. A single check is fastest on the main thread, without the switch to another thread and
 * back. When several tasks make calls in one turn of the event loop, or one makes several at once, the thread pool of libuv gets
 * all of them except the first. The pool also serves scrypt, bcrypt, files and DNS. So it is used only while results come back
 * quickly, and a check that waits there for too long is done on the main thread after all. While the pool is slow, copies of some
 * checks are sent to it as trials, to find out whether it still is.
 *
 * Results come in the order of the calls, separately for checks in software. ARCHITECTURE.md explains the rule.
 */
export class SignatureChecks {
  private readonly verifier: SignatureVerifier;
  private readonly now: () => number;
  private readonly runIn: (milliseconds: number, run: () => void) => void;

  /** On the pool, in the order of the calls. */
  private pending: PoolCheck[] = [];
  /** When a check was last sent to the pool or ended there, while some are pending. */
  private progressAt = 0;
  private isTimerSet = false;

  private isQuick = false;
  /** How many trials in a row have to succeed before the pool is used, and how many of them have. */
  private trialsNeeded = 1;
  private trialsPassed = 0;
  private isTrialPending = false;
  private trialAt = -Infinity;
  /** The number of turns of the event loop, as far as they were awaited. */
  private turns = 0;
  private slowAt = -Infinity;

  /** Whether a check was made on the main thread, and the code that awaits it has not continued yet. */
  private isBusy = false;
  private isTickDue = false;
  private isTurnDue = false;
  /** The number of tasks that have made checks on the main thread in this turn of the event loop. */
  private tasksInTurn = 0;
  /** The numbers of tokens that were read and answered since the last turn that was awaited. */
  private readInTurn = 0;
  private knownInTurn = 0;
  private readonly waiting: (() => void)[] = [];
  /** Checks in software, in the order of the calls, and whether one was already made in this turn. */
  private readonly slow: (() => void)[] = [];
  private isSlowTurn = false;

  constructor({
    verifier = verifySignature,
    now = () => performance.now(),
    runIn = runAfterResults,
  }: SignatureChecksOptions = {}) {
    this.verifier = verifier;
    this.now = now;
    this.runIn = runIn;
  }

  /** Whether a token may be read now. If not, because that would hold up the event loop, await `room` first. */
  mayRead(): boolean {
    if (this.waiting.length > 0 || this.capacity <= 0) return false;
    this.readInTurn += 1;
    return true;
  }

  /** Like `mayRead`, for a token that needs no check: it does not wait behind those that do. */
  mayAnswerKnown(): boolean {
    if (this.knownInTurn >= MAX_KNOWN_IN_TURN) return false;
    this.knownInTurn += 1;
    return true;
  }

  /** Resolves when a token may be read, in the order of the calls. */
  room(): Promise<void> {
    this.awaitTurn();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /**
   * Whether the signature is valid. It never throws or rejects.
   *
   * @returns a promise only where the check is done on the thread pool, or in software in a later turn
   */
  check(check: SignatureCheck): boolean | Promise<boolean> {
    if (check.signature.length !== check.key.signatureLength) return false;
    if (!check.key.verifyInput) return this.inSoftware(check);
    if (!this.isUnderLoad) return this.onMainThread(check);
    if (this.isQuick) return this.onPool(check);
    this.tryPool(check);
    return this.onMainThread(check);
  }

  /** Without an implementation in the runtime, a check takes milliseconds on this thread: only one is made in each turn. */
  private inSoftware(check: SignatureCheck): boolean | Promise<boolean> {
    this.awaitTurn();
    if (this.isSlowTurn) return new Promise((resolve) => this.slow.push(() => resolve(this.isValid(check))));
    this.isSlowTurn = true;
    return this.isValid(check);
  }

  private get isUnderLoad(): boolean {
    return this.pending.length > 0 || this.isBusy || this.tasksInTurn > 0;
  }

  private get capacity(): number {
    const inTurn = MAX_IN_TURN - this.readInTurn;
    return this.isQuick ? Math.min(inTurn, MAX_IN_POOL - this.pending.length) : inTurn;
  }

  private onMainThread(check: SignatureCheck): boolean {
    // Runs after the call, but before the code that awaits it: sequential calls find `isBusy` unset, simultaneous calls do not.
    if (!this.isBusy) {
      this.isBusy = true;
      void SETTLED.then(this.onMicrotask);
    }
    // Runs after all code that awaits the call: sequential calls in one task count as one.
    if (!this.isTickDue) {
      this.isTickDue = true;
      nextTick(this.onTick);
    }
    return this.isValid(check);
  }

  private isValid(check: SignatureCheck): boolean {
    try {
      return this.verifier(check);
    } catch {
      // Whatever the error of OpenSSL is: the signature has not verified.
      return false;
    }
  }

  private readonly onMicrotask = (): void => {
    this.isBusy = false;
  };

  private readonly onTick = (): void => {
    this.isTickDue = false;
    this.tasksInTurn += 1;
    this.awaitTurn();
  };

  private awaitTurn(): void {
    if (this.isTurnDue) return;
    this.isTurnDue = true;
    setImmediate(this.onTurn);
  }

  private readonly onTurn = (): void => {
    this.isTurnDue = false;
    this.turns += 1;
    this.tasksInTurn = 0;
    this.readInTurn = 0;
    this.knownInTurn = 0;
    this.admit(this.capacity);
    const next = this.slow.shift();
    this.isSlowTurn = next !== undefined;
    next?.();
    if (this.slow.length > 0) this.awaitTurn();
    // Otherwise the next result of the pool calls `awaitTurn`.
    if (this.waiting.length > 0 && this.pending.length === 0) this.awaitTurn();
  };

  private admit(count: number): void {
    for (const resolve of this.waiting.splice(0, count)) {
      this.readInTurn += 1;
      resolve();
    }
  }

  private onPool({ input, signature, key }: SignatureCheck): Promise<boolean> {
    return new Promise((resolve) => {
      const check: PoolCheck = { input, signature, key, resolve, result: undefined };
      if (this.pending.length === 0) this.progressAt = this.now();
      this.pending.push(check);
      this.setTimer();
      this.send(check, (isValid) => this.onResult(check, isValid));
    });
  }

  private send(check: SignatureCheck, onResult: (isValid: boolean) => void): void {
    try {
      this.verifier(check, (error, isValid) => onResult(!error && isValid));
    } catch {
      onResult(false);
    }
  }

  private onResult(check: PoolCheck, isValid: boolean): void {
    // The main thread was faster.
    if (check.result !== undefined) return;
    check.result = isValid;
    this.progressAt = this.now();
    this.release();
    if (this.waiting.length > 0) this.awaitTurn();
  }

  private release(): void {
    while (this.pending[0]?.result !== undefined) {
      const { resolve, result } = this.pending.shift() as PoolCheck & { result: boolean };
      resolve(result);
    }
  }

  private setTimer(): void {
    if (this.isTimerSet) return;
    this.isTimerSet = true;
    this.runIn(SLOW_MS, this.onTimer);
  }

  private readonly onTimer = (): void => {
    this.isTimerSet = false;
    if (this.pending.length === 0) return;
    if (this.now() - this.progressAt > SLOW_MS) this.giveUpPool();
    else this.setTimer();
  };

  private giveUpPool(): void {
    this.isQuick = false;
    this.trialsPassed = 0;
    const now = this.now();
    const isForgiven = now - this.slowAt > FORGIVEN_MS;
    this.trialsNeeded = isForgiven ? 1 : Math.min(2 * this.trialsNeeded, MAX_TRIALS);
    this.slowAt = now;
    for (const check of this.pending) check.result ??= this.isValid(check);
    this.release();
    this.awaitTurn();
  }

  /** Sends a copy of a check to the pool as a trial. Its result is not used. */
  private tryPool(check: SignatureCheck): void {
    const sentAt = this.now();
    if (this.isTrialPending || sentAt - this.trialAt < TRIAL_INTERVAL_MS) return;
    this.isTrialPending = true;
    this.trialAt = sentAt;
    const { turns } = this;
    this.send(check, () => {
      this.isTrialPending = false;
      // In a long turn, the result may have been there for a long time.
      const hasPassed = this.now() - sentAt <= TRIAL_MS || this.turns <= turns + 1;
      this.trialsPassed = hasPassed ? this.trialsPassed + 1 : 0;
      this.isQuick ||= this.trialsPassed >= this.trialsNeeded;
    });
  }
}

/** The checks of this process, which has one thread pool. */
export const SIGNATURE_CHECKS = new SignatureChecks();

function runAfterResults(milliseconds: number, run: () => void): void {
  // Node reads the results of the pool after the timers that are due.
  setTimeout(() => setImmediate(run), milliseconds);
}
