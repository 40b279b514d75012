/** A connection that ended without a response. The code that transports the request passes it on unchanged. */
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

/** Node's error for a reset connection, with the name that the SDK's own request handler gives it. */
export function connectionReset(): ConnectionError {
  return new ConnectionError('TimeoutError', 'read ECONNRESET', { code: 'ECONNRESET', syscall: 'read' });
}

/** The error of the SDK's own request handler for a request whose `abortSignal` was aborted. */
export function requestAborted(reason: unknown): ConnectionError {
  return new ConnectionError('AbortError', 'Request aborted', { cause: reason });
}
