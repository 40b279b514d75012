import { uptime } from 'node:os';

/** The time, passed in so that tests control it. All times are in milliseconds. */
export interface Clock {
  /** Since 1970. It can jump, forwards and back. */
  now(): number;
  /** Since an arbitrary moment. It never goes back, and may stand still while the machine is suspended. */
  monotonic(): number;
  /** Since the machine was started, including the time for which it was suspended; NaN if that is not known. */
  uptime(): number;
  /** Runs a function once, after that many milliseconds. @returns a function that cancels it */
  schedule(run: () => void, milliseconds: number): () => void;
}

/** The injection token of the clock of an app, which `nestjs-kms-jwt/testing` overrides. */
export const CLOCK = 'KMS_JWT_CLOCK';

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  uptime: () => {
    try {
      return uptime() * 1000;
    } catch {
      // Some sandboxes refuse it: then only the wall clock shows a suspension.
      return NaN;
    }
  },
  schedule: (run, milliseconds) => {
    const timer = setTimeout(run, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};
