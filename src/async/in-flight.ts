/** Tracks pending promises, so that a shutdown can wait until all of them have settled. */
export class InFlight {
  private readonly promises = new Set<Promise<unknown>>();

  /**
   * Tracks a promise until it settles.
   *
   * @returns the same promise
   */
  track<T>(promise: Promise<T>): Promise<T> {
    const onSettled = () => void this.promises.delete(promise);
    this.promises.add(promise);
    promise.then(onSettled, onSettled);
    return promise;
  }

  /** Resolves when every promise tracked so far has settled. It never rejects. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.promises);
  }
}
