import { MAX_TIMER_MS } from '../options/defaults.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';

/** A timer with at most one pending run. It does not keep the process alive. */
export class RestartableTimer {
  private cancel: (() => void) | undefined;
  private isStopped = false;

  constructor(
    private readonly run: () => void,
    private readonly clock: Pick<Clock, 'schedule'> = SYSTEM_CLOCK,
  ) {}

  /** Replaces a pending run. A delay over MAX_TIMER_MS is shortened to that, so that `run` is called early. */
  restart(milliseconds: number): void {
    this.clear();
    if (this.isStopped) return;
    this.cancel = this.clock.schedule(this.run, Math.max(0, Math.min(milliseconds, MAX_TIMER_MS)));
  }

  clear(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  /** Stops permanently: `restart` has no effect afterwards. */
  stop(): void {
    this.isStopped = true;
    this.clear();
  }
}
