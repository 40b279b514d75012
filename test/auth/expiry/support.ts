/** A whole second that is one to two seconds away, for `exp`. */
export function soon(): number {
  return Math.ceil(Date.now() / 1000) + 1;
}
