import type { Clock } from './clock.js';

/** The shares of the limit at which a warning is due; the last one is the limit. */
const WARN_AT = [0.25, 0.5, 0.75, 1];

/** How long ago the keys were fetched, against a limit. */
export class KeyAge {
  private fetchedAt: number | undefined;
  private warnings = 0;

  /** @param maxStale in seconds; undefined if the keys never become too old */
  constructor(
    private readonly maxStale: number | undefined,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {}

  /** The keys were fetched now. */
  renew(): void {
    this.fetchedAt = this.clock.monotonic();
    this.warnings = 0;
  }

  /** In how many seconds the keys will be too old, at least 0; undefined if they never will, or if there are none. */
  get staleIn(): number | undefined {
    if (this.fetchedAt === undefined || this.maxStale === undefined) return undefined;
    const age = (this.clock.monotonic() - this.fetchedAt) / 1000;
    return Math.max(0, Math.ceil(this.maxStale - age));
  }

  /** Whether the age has passed a share of the limit since the last call. */
  takeWarning(): boolean {
    const { staleIn, maxStale } = this;
    if (staleIn === undefined || maxStale === undefined) return false;
    const due = WARN_AT.filter((share) => maxStale - staleIn >= share * maxStale).length;
    const isDue = due > this.warnings;
    this.warnings = due;
    return isDue;
  }
}
