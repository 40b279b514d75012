const constants = new WeakSet<object>();

/**
 * Freezes options that the library itself has created, so that they are read only once. Frozen options of an app are read each
 * time: a list in them may change, and a getter may return another value.
 */
export function asConstant<Options extends object>(options: Options): Readonly<Options> {
  constants.add(options);
  return Object.freeze(options);
}

/** Whether `asConstant` froze these options. */
export function isConstant(options: object): boolean {
  return constants.has(options);
}
