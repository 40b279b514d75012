/** The end of a connection without an answer: it is passed on to whoever carries the request. */
export class ConnectionError extends Error {
  constructor(
    override readonly name: 'TimeoutError' | 'AbortError',
    message: string,
    details: { readonly code?: string; readonly syscall?: string; readonly cause?: unknown },
  ) {
    super(message);
    Object.assign(this, details);
  }
}

/** What Node says of a connection that was reset, by the name that the SDK's own handler gives it. */
export function connectionReset(): ConnectionError {
  return new ConnectionError('TimeoutError', 'read ECONNRESET', { code: 'ECONNRESET', syscall: 'read' });
}

/** What the SDK's own handler says of a request whose `abortSignal` was aborted. */
export function requestAborted(reason: unknown): ConnectionError {
  return new ConnectionError('AbortError', 'Request aborted', { cause: reason });
}
