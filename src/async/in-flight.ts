/** Counts the operations in flight, so that a shutdown can wait until all have ended. */
export class InFlight {
  private count = 0;
  private readonly waiting: (() => void)[] = [];

  /** Each call needs one call of `leave`. */
  enter(): void {
    this.count += 1;
  }

  leave(): void {
    this.count -= 1;
    if (this.count === 0) for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** Resolves when nothing is in flight. */
  async ended(): Promise<void> {
    if (this.count > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}
