/** Assigns an object to each pair of objects, for as long as both exist. */
export class Pairs {
  private readonly byOne = new WeakMap<object, WeakMap<object, object>>();

  /** Returns the same object for the same pair. */
  of(one: object, other: object): object {
    const byOther = this.byOne.get(one) ?? new WeakMap<object, object>();
    this.byOne.set(one, byOther);
    const pair = byOther.get(other) ?? {};
    byOther.set(other, pair);
    return pair;
  }
}
