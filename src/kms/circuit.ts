import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  type IBackoff,
} from 'cockatiel';
import { KmsUnavailableError } from '../errors/errors.js';

/** The number of consecutive failures that opens the circuit. */
const MAX_FAILURES = 10;
/** The time from a failure that opens the circuit to the next probe, in milliseconds. */
const OPEN_MS = 1000;

export type CircuitEvent =
  { readonly type: 'circuit_opened'; readonly error: Error } | { readonly type: 'circuit_closed' };

/**
 * A circuit breaker for one operation of KMS. It opens after ten consecutive calls without an answer. Calls that failed because
 * the event loop was blocked do not count. While it is open, calls fail fast, except for one probe at a time, a second after the
 * last failure; a probe that KMS answers closes it.
 */
export class Circuit {
  private readonly policy: CircuitBreakerPolicy;
  /** The number of failures that opened the circuit or kept it open. */
  private openings = 0;
  private probeAt = -Infinity;
  private isOpen = false;

  /**
   * @param onEvent called when the circuit opens and when it closes
   * @param now a monotonic clock in milliseconds
   */
  constructor(
    private readonly onEvent: (event: CircuitEvent) => void = () => {},
    private readonly now: () => number = () => performance.now(),
  ) {
    const breaker = new ConsecutiveBreaker(MAX_FAILURES);
    // While the circuit is open, blocked calls count as failures, so that they do not close it.
    const counted = handleWhen((error) => this.isOpen || !isBlocked(error));
    this.policy = circuitBreaker(counted, { halfOpenAfter: { next: () => this.openFor() }, breaker });
    this.policy.onBreak((reason) => this.onOpened('error' in reason ? reason.error : undefined));
    this.policy.onReset(() => this.onClosed());
  }

  get state(): 'closed' | 'open' {
    return this.isOpen ? 'open' : 'closed';
  }

  /** @throws KmsUnavailableError while the circuit is open, unless a probe is due */
  throwIfOpen(): void {
    const isProbed = this.policy.state === CircuitState.HalfOpen;
    if (isProbed || this.now() < this.probeAt)
      throw new KmsUnavailableError(
        'circuit_open',
        'No KMS call was made: the circuit is open, as KMS did not answer the last calls',
      );
  }

  /** @throws KmsUnavailableError while the circuit is open, unless a probe is due; the error of `call` */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.throwIfOpen();
    const { openings } = this;
    const outcome = await this.policy.execute(async () => {
      try {
        return { answer: await call() };
      } catch (error) {
        // Any other error is an answer of KMS. A call from before the circuit opened shows nothing about KMS now.
        if (error instanceof KmsUnavailableError && openings === this.openings) throw error;
        return { error };
      }
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.answer;
  }

  /**
   * cockatiel measures this time with Date.now(), which can jump; report Infinity until our monotonic clock says that it
   * is over.
   */
  private openFor(): IBackoff<unknown> {
    const probeAt = this.now() + OPEN_MS;
    const { now } = this;
    this.probeAt = probeAt;
    return {
      get duration() {
        return now() < probeAt ? Infinity : -Infinity;
      },
      next: () => this.openFor(),
    };
  }

  private onOpened(error: Error | undefined): void {
    this.openings += 1;
    if (this.isOpen || !error) return;
    this.isOpen = true;
    this.onEvent({ type: 'circuit_opened', error });
  }

  private onClosed(): void {
    this.probeAt = -Infinity;
    this.isOpen = false;
    this.onEvent({ type: 'circuit_closed' });
  }
}

function isBlocked(error: Error): boolean {
  return error instanceof KmsUnavailableError && error.reason === 'blocked';
}
