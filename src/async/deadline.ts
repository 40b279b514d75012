/**
 * Waits for a promise, but no longer than until the signal aborts. No listener stays on the signal.
 *
 * @throws the reason of the signal, or what the promise rejects with
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let abort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Runs an operation with a time limit that holds even if the operation ignores its signal.
 *
 * @param run the operation; its signal aborts at the time limit and when `signal` aborts
 * @param timeoutMs the time limit in milliseconds
 * @param timeoutError the error to reject with at the time limit
 * @param signal ends the wait early
 * @throws the timeout error, the reason of `signal`, or what the operation rejects with
 */
export async function withDeadline<T>(
  run: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  timeoutError: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => controller.abort(timeoutError()), timeoutMs);
  try {
    return await untilAborted(run(controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}
