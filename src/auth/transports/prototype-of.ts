/** The object with the methods of an instance or, if it is a class, of its instances: an app may pass either. */
export function prototypeOf(instanceOrClass: object): object {
  return typeof instanceOrClass === 'function' ? (instanceOrClass.prototype as object) : instanceOrClass;
}
