import type { Clock } from './clock.js';

/** By how many milliseconds clocks may diverge before it counts as a step. */
const STEP_MS = 5000;
/** The minimum time between two readings of `uptime`, in milliseconds. */
const UPTIME_INTERVAL_MS = 50;
/** By how much NTP corrects the wall clock without a step, as a share of time: twice what Linux permits. */
const MAX_SLEW = 0.001;

/** The wall clock has jumped, or the machine was suspended. In milliseconds. */
export interface ClockStep {
  /** How far the wall clock moved ahead of elapsed time; negative if it was set back. */
  readonly wall: number;
  /** For how long the machine was suspended, as far as the wall clock and `uptime` agree. */
  readonly suspended: number;
  /** How much more time may have passed, if the clock that is furthest ahead is right; negative if the wall clock was set back. */
  readonly unexplained: number;
  /** When it was noticed, in elapsed time. */
  readonly at: number;
}

/**
 * The time that has really passed, in milliseconds since 1970 by the wall clock at the start. Setting the wall clock does not
 * change it. The monotonic clock stands still while a machine is suspended: that time is added if both the wall clock and
 * `uptime` show it, because each of them alone may be wrong.
 */
export class ElapsedTime {
  /** What to add to the monotonic clock. */
  private offset: number;
  /** By how much the wall clock and `uptime` are known to be ahead of the monotonic clock; any other lead is a step. */
  private wallLead: number;
  private uptimeLead: number;
  private readAt: number;
  private allReadAt = -Infinity;

  /** @param onStep called with each step, before the reading that shows it returns */
  constructor(
    private readonly clock: Clock,
    private readonly onStep: (step: ClockStep) => void,
  ) {
    this.readAt = clock.monotonic();
    this.wallLead = clock.now() - this.readAt;
    this.uptimeLead = clock.uptime() - this.readAt;
    this.offset = this.wallLead;
  }

  /** Also notices a step of the wall clock. */
  now(): number {
    const monotonic = this.clock.monotonic();
    const ahead = this.clock.now() - monotonic - this.wallLead;
    if (Math.abs(ahead) > STEP_MS) this.readAll();
    else if (ahead !== 0) this.followSlew(ahead, monotonic);
    return monotonic + this.offset;
  }

  /**
   * Also notices a suspension that the wall clock does not show, within 50 ms. Slower than `now`: it reads `uptime`, for which
   * the system opens a file.
   */
  nowByAllClocks(): number {
    const monotonic = this.clock.monotonic();
    if (monotonic - this.allReadAt >= UPTIME_INTERVAL_MS) {
      this.allReadAt = monotonic;
      this.readAll();
    }
    return this.now();
  }

  /** How far the wall clock is ahead of this time, in milliseconds. */
  get wallAhead(): number {
    return this.clock.now() - this.clock.monotonic() - this.offset;
  }

  /** The slow corrections of NTP must not add up to a step, but short suspensions must. */
  private followSlew(ahead: number, monotonic: number): void {
    const slew = MAX_SLEW * (monotonic - this.readAt);
    this.wallLead += Math.max(-slew, Math.min(ahead, slew));
    this.readAt = monotonic;
  }

  private readAll(): void {
    const monotonic = this.clock.monotonic();
    const wall = this.clock.now() - monotonic - this.wallLead;
    const uptime = this.clock.uptime() - monotonic - this.uptimeLead;
    // The `uptime` of a container may change to a smaller one.
    if (uptime < 0) this.uptimeLead += uptime;
    if (Math.abs(wall) <= STEP_MS && !(uptime > STEP_MS)) return;
    const suspended = wall > 0 && uptime > 0 ? Math.min(wall, uptime) : 0;
    const unexplained = (uptime > STEP_MS ? Math.max(wall, uptime) : wall) - suspended;
    this.wallLead += wall;
    this.uptimeLead += Math.max(0, uptime);
    this.offset += suspended;
    this.onStep({ wall, suspended, unexplained, at: monotonic + this.offset });
  }
}
