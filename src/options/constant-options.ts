const constants = new WeakSet<object>();

/**
 * Freezes options that the library itself has put together, so that they need to be read only once. Frozen options of an app
 * are read each time: a list in them may change, and a getter may answer differently.
 */
export function asConstant<Options extends object>(options: Options): Readonly<Options> {
  constants.add(options);
  return Object.freeze(options);
}

/** Whether `asConstant` made them. */
export function isConstant(options: object): boolean {
  return constants.has(options);
}
