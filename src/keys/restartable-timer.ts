import { MAX_TIMER_MS } from '../options/defaults.js';

/** A timer with one pending run at most. It does not keep the process alive. */
export class RestartableTimer {
  private pending: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(private readonly run: () => void) {}

  /** Replaces a pending run. A delay over MAX_TIMER_MS is cut off there, so that `run` comes too early. */
  restart(milliseconds: number): void {
    this.clear();
    if (this.isStopped) return;
    this.pending = setTimeout(this.run, Math.max(0, Math.min(milliseconds, MAX_TIMER_MS))).unref();
  }

  clear(): void {
    clearTimeout(this.pending);
  }

  /** For good: `restart` has no effect afterwards. */
  stop(): void {
    this.isStopped = true;
    this.clear();
  }
}
