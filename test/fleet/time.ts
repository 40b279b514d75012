import type { Clock } from '../../src/keys/clock.js';

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** Simulated time, in milliseconds, which advances from event to event. */
export class SimulatedTime {
  now = 0;
  private readonly events: Event[] = [];

  at(at: number, run: () => void): void {
    let index = this.events.length;
    while (index > 0 && (this.events[index - 1] as Event).at > at) index -= 1;
    this.events.splice(index, 0, { at, run });
  }

  after(milliseconds: number, run: () => void): void {
    this.at(this.now + milliseconds, run);
  }

  /** Runs all events until then, each with all that it starts, up to the next wait. */
  async runUntil(end: number): Promise<void> {
    for (let event = this.events[0]; event && event.at <= end; event = this.events[0]) {
      this.events.shift();
      this.now = Math.max(this.now, event.at);
      event.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.now = end;
  }
}

/** `stopped`: SIGSTOP; all clocks run. `suspended`: the monotonic clock stands still. `paused`: `uptime` does, too. */
export type Freeze = 'stopped' | 'suspended' | 'paused';

const START = Date.UTC(2026, 0, 1);

/** A machine with inexact clocks, which can be set wrong, and which can freeze. */
export class Machine implements Clock {
  frozen: Freeze | undefined;
  /** By how much the wall clock was set wrong, in milliseconds. */
  step = 0;
  /** The same for `uptime`. */
  uptimeStep = 0;
  private halted = 0;
  private asleep = 0;
  private frozenAt = 0;
  private readonly waiting: (() => void)[] = [];

  /**
   * @param drift by how much the monotonic clock is too fast, as a share of time
   * @param skew by how much the wall clock is ahead, in milliseconds
   */
  constructor(
    readonly time: SimulatedTime,
    private readonly drift: number,
    readonly skew: number,
  ) {}

  now(): number {
    return START + this.time.now + this.skew + this.step;
  }

  monotonic(): number {
    const stands = this.frozen && this.frozen !== 'stopped' ? this.time.now - this.frozenAt : 0;
    return (this.time.now - this.halted - stands) * (1 + this.drift);
  }

  uptime(): number {
    const stands = this.frozen === 'paused' ? this.time.now - this.frozenAt : 0;
    return (this.time.now - this.asleep - stands) * (1 + this.drift) + this.uptimeStep;
  }

  schedule(run: () => void, milliseconds: number): () => void {
    const due = this.monotonic() + milliseconds;
    let isCancelled = false;
    const runIfDue = () => {
      if (isCancelled) return;
      if (this.frozen) this.waiting.push(runIfDue);
      else if (this.monotonic() < due - 0.01)
        this.time.after((due - this.monotonic()) / (1 + this.drift), runIfDue);
      else run();
    };
    this.time.after(milliseconds / (1 + this.drift), runIfDue);
    return () => (isCancelled = true);
  }

  /** Runs it at once, or after the thaw of a frozen machine. */
  whenRunning(run: () => void): void {
    if (this.frozen) this.waiting.push(run);
    else run();
  }

  /** A call over the network. A frozen machine sends it, or reads its answer, after the thaw. */
  call<T>(milliseconds: number, answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const reply = () => {
        try {
          const result = answer();
          this.whenRunning(() => resolve(result));
        } catch (error) {
          this.whenRunning(() => reject(error));
        }
      };
      this.whenRunning(() => this.time.after(milliseconds, reply));
    });
  }

  freeze(kind: Freeze): void {
    if (this.frozen) return;
    this.frozen = kind;
    this.frozenAt = this.time.now;
  }

  thaw(): void {
    const length = this.time.now - this.frozenAt;
    if (this.frozen === 'suspended' || this.frozen === 'paused') this.halted += length;
    if (this.frozen === 'paused') this.asleep += length;
    this.frozen = undefined;
    for (const run of this.waiting.splice(0)) run();
  }
}
