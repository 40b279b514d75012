/** The time, passed in so that tests control it. Both functions return milliseconds. */
export interface Clock {
  /** Since 1970. It can jump, forwards and back. */
  now(): number;
  /** Since an arbitrary moment. It never goes back: for intervals and limits. */
  monotonic(): number;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
