/** Seeded random numbers (mulberry32). A seed repeats the numbers, not the order in which calls use them. */
export class Random {
  constructor(private state: number) {}

  /** A number from 0 to below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  /** One of the names, by their weights. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
    return (entries.at(-1) as [Name, number])[0];
  }

  /** Yields to other calls: for a microtask, a turn of the event loop, or some milliseconds. */
  nap(): Promise<void> {
    const kind = this.next();
    if (kind < 0.2) return Promise.resolve();
    return kind < 0.4 ? new Promise((resolve) => setImmediate(resolve)) : this.wait(10);
  }

  /** A short pause, and sometimes one in which tokens end and clients send more. */
  linger(milliseconds: number): Promise<void> {
    return this.chance(0.2) ? this.wait(milliseconds) : this.nap();
  }

  private wait(limit: number): Promise<void> {
    const milliseconds = this.below(limit);
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}
