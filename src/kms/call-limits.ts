import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  type BulkheadPolicy,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
} from 'cockatiel';
import { KmsJwtError, KmsUnavailableError } from '../errors.js';

/** After so many calls in a row that were not answered, KMS is away. */
const FAILURES = 10;
/** For how long no call is made then, in milliseconds, until one tries. */
const PAUSE = 1000;

/** How many calls there may be at a time. */
export interface CallLimitSettings {
  maxConcurrency: number;
  maxQueue: number;
}

/** What becomes of the circuit: open while KMS is away, closed when it answers again. */
export type CircuitEvent =
  { readonly type: 'circuit_opened'; readonly error: Error } | { readonly type: 'circuit_closed' };

/**
 * So many calls at a time, so many that wait, and none while KMS is away: then one call a second, alone, tries whether it
 * is back, and all others are refused at once.
 */
export class CallLimits {
  private readonly bulkhead: BulkheadPolicy;
  private readonly circuit: CircuitBreakerPolicy;
  private isAway = false;

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    private readonly settings: CallLimitSettings,
    private readonly tell: (event: CircuitEvent) => void = () => {},
    private readonly now: () => number = () => performance.now(),
  ) {
    this.bulkhead = bulkhead(settings.maxConcurrency, settings.maxQueue);
    this.circuit = circuitBreaker(
      handleWhen((error) => this.isFailure(error)),
      { halfOpenAfter: PAUSE, breaker: new ConsecutiveBreaker(FAILURES) },
    );
    this.circuit.onBreak((reason) => this.noteAway('error' in reason ? reason.error : undefined));
    this.circuit.onReset(() => this.noteBack());
  }

  get circuitState(): 'closed' | 'open' {
    return this.isAway ? 'open' : 'closed';
  }

  /**
   * @param signal whoever waits for its turn beyond this does not call
   * @param patience for how long a call may wait for its turn, in milliseconds: one that comes late would not give KMS the
   * time to answer, and have it look as if it were away
   * @throws KmsUnavailableError for a call too many or too late, and while KMS is away
   */
  async run<T>(call: () => Promise<T>, signal: AbortSignal, patience: number): Promise<T> {
    const asked = this.now();
    try {
      return await this.bulkhead.execute(() => {
        signal.throwIfAborted();
        if (this.now() - asked > patience) throw overloaded(`its turn came after more than ${patience} ms`);
        // Others would wait for the one that tries.
        if (this.circuit.state === CircuitState.HalfOpen) throw new BrokenCircuitError();
        return this.circuit.execute(call);
      });
    } catch (error) {
      throw this.translate(error);
    }
  }

  private translate(error: unknown): unknown {
    if (error instanceof BulkheadRejectedError) {
      const { maxConcurrency, maxQueue } = this.settings;
      return overloaded(`${maxConcurrency} calls are under way and ${maxQueue} wait`);
    }
    if (error instanceof BrokenCircuitError) {
      return new KmsUnavailableError('circuit_open', 'No call of KMS was made: it has not answered lately');
    }
    return error;
  }

  // A caller who gives up says nothing of KMS, but must not end the pause by it either.
  private isFailure(error: Error): boolean {
    const isGivenUp = !(error instanceof KmsJwtError);
    return (
      error instanceof KmsUnavailableError || (isGivenUp && this.circuit.state === CircuitState.HalfOpen)
    );
  }

  private noteAway(error: Error | undefined): void {
    if (this.isAway || !error) return;
    this.isAway = true;
    this.tell({ type: 'circuit_opened', error });
  }

  private noteBack(): void {
    this.isAway = false;
    this.tell({ type: 'circuit_closed' });
  }
}

function overloaded(why: string): KmsUnavailableError {
  return new KmsUnavailableError('overloaded', `No call of KMS was made: ${why}`);
}
