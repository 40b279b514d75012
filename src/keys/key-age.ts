/** The shares of the limit at which a warning is due; the last one is the limit. */
const WARN_AT = [0.25, 0.5, 0.75, 1];

/** How long ago the keys were fetched, compared with a limit. */
export class KeyAge {
  private fetchedAt: number | undefined;
  private warnings = 0;

  /**
   * @param maxStale in seconds; undefined if the keys never become too old
   * @param now the latest possible time in milliseconds, which is ahead of the real one while a clock is wrong
   */
  constructor(
    private readonly maxStale: number | undefined,
    private readonly now: () => number,
  ) {}

  /** @param age how long ago the keys were fetched, in milliseconds */
  renew(age = 0): void {
    this.fetchedAt = this.now() - age;
    this.warnings = 0;
  }

  /** In how many seconds the keys will be too old, at least 0; undefined if they never will, or if there are none. */
  get staleIn(): number | undefined {
    if (this.fetchedAt === undefined || this.maxStale === undefined) return undefined;
    const age = (this.now() - this.fetchedAt) / 1000;
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
