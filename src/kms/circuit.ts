import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleAll,
  type IBackoff,
} from 'cockatiel';
import { KmsUnavailableError } from '../errors/errors.js';

/** After so many calls in a row that were not answered, KMS is away. */
const FAILURES = 10;
/** For how long no call is made then, in milliseconds, until one tries. */
const PAUSE = 1000;

/** What becomes of the circuit: open while KMS is away, closed when it answers again. */
export type CircuitEvent =
  { readonly type: 'circuit_opened'; readonly error: Error } | { readonly type: 'circuit_closed' };

/** Makes no calls while KMS is away, but for one at a time that tries whether it is back, a second after the last. */
export class Circuit {
  private readonly policy: CircuitBreakerPolicy;
  /** How often it has opened, or stayed open. */
  private openings = 0;
  private opensAgainAt = -Infinity;
  private isAway = false;

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    private readonly tell: (event: CircuitEvent) => void = () => {},
    private readonly now: () => number = () => performance.now(),
  ) {
    const breaker = new ConsecutiveBreaker(FAILURES);
    this.policy = circuitBreaker(handleAll, { halfOpenAfter: { next: () => this.pause() }, breaker });
    this.policy.onBreak((reason) => this.noteAway('error' in reason ? reason.error : undefined));
    this.policy.onReset(() => this.noteBack());
  }

  get state(): 'closed' | 'open' {
    return this.isAway ? 'open' : 'closed';
  }

  /** @throws KmsUnavailableError while KMS is away, unless it is time to try */
  throwIfOpen(): void {
    const isTried = this.policy.state === CircuitState.HalfOpen;
    if (isTried || this.now() < this.opensAgainAt)
      throw new KmsUnavailableError('circuit_open', 'No call of KMS was made: it has not answered lately');
  }

  /** @throws KmsUnavailableError while KMS is away, and what `call` throws */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.throwIfOpen();
    const { openings } = this;
    const outcome = await this.policy.execute(async () => {
      try {
        return { answer: await call() };
      } catch (error) {
        // A refusal is an answer, too; and a call of before it opened says nothing new.
        if (error instanceof KmsUnavailableError && openings === this.openings) throw error;
        return { error };
      }
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.answer;
  }

  /** Of cockatiel, which compares it with what has passed by the clock on the wall: all of it, or nothing of it, is left. */
  private pause(): IBackoff<unknown> {
    const end = this.now() + PAUSE;
    const { now } = this;
    this.opensAgainAt = end;
    return {
      get duration() {
        return now() < end ? Infinity : -Infinity;
      },
      next: () => this.pause(),
    };
  }

  private noteAway(error: Error | undefined): void {
    this.openings += 1;
    if (this.isAway || !error) return;
    this.isAway = true;
    this.tell({ type: 'circuit_opened', error });
  }

  private noteBack(): void {
    this.opensAgainAt = -Infinity;
    this.isAway = false;
    this.tell({ type: 'circuit_closed' });
  }
}
