/** Objects that each stand for two others together, as long as both live. */
export class Pairs {
  private readonly byOne = new WeakMap<object, WeakMap<object, object>>();

  /** The same object for the same two. */
  of(one: object, other: object): object {
    const byOther = this.byOne.get(one) ?? new WeakMap<object, object>();
    this.byOne.set(one, byOther);
    const pair = byOther.get(other) ?? {};
    byOther.set(other, pair);
    return pair;
  }
}
