/** Whether a value is a promise. Not by instanceof: it may be of another realm, and an app may replace the global Promise. */
export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof (value as Partial<Promise<Value>> | undefined)?.then === 'function';
}
