/** What is under way, for whoever has to wait until nothing is. */
export class InFlight {
  private readonly promises = new Set<Promise<unknown>>();

  /** The same promise. */
  track<T>(promise: Promise<T>): Promise<T> {
    const end = () => void this.promises.delete(promise);
    this.promises.add(promise);
    promise.then(end, end);
    return promise;
  }

  async ended(): Promise<void> {
    await Promise.allSettled(this.promises);
  }
}
