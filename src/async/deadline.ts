import { untilAborted } from './until-aborted.js';

/**
 * Runs something that may take at most so long, whether it heeds its signal or not.
 *
 * @param late what to reject with when the time is over
 * @param signal ends it before, with its own reason
 */
export async function withDeadline<T>(
  run: (signal: AbortSignal) => Promise<T>,
  milliseconds: number,
  late: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const end = new AbortController();
  const giveUp = () => end.abort(signal?.reason);
  signal?.addEventListener('abort', giveUp, { once: true });
  const timer = setTimeout(() => end.abort(late()), milliseconds);
  try {
    return await untilAborted(run(end.signal), end.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
