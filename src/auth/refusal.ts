import {
  InsufficientScopeError,
  KmsJwtError,
  KmsJwtOptionsError,
  OriginNotAllowedError,
  TokenAmbiguousError,
  TokenError,
} from '../errors/errors.js';
import { codeOf, nameOf } from '../errors/redacted-cause.js';
import type { Log } from '../events/log.js';

/** The answer to a refused call, before a transport converts it to its own format. */
export interface Refusal {
  /** The HTTP status; other transports translate it. */
  status: 400 | 401 | 403 | 500 | 503;
  /** The error's own message for a fault of the client, otherwise the name of the status. */
  message: string;
  /** The error's stable code; `internal_error` for an error that is not this library's. */
  errorCode: string;
}

/** The answer to an error. Pure: `reportRefusal` writes the log. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof KmsJwtError)) {
    return { status: 500, message: 'Internal Server Error', errorCode: 'internal_error' };
  }
  const { code: errorCode, message } = error;
  if (error instanceof TokenError) return { status: 401, message, errorCode };
  if (error instanceof InsufficientScopeError || error instanceof OriginNotAllowedError) {
    return { status: 403, message, errorCode };
  }
  if (error instanceof TokenAmbiguousError) return { status: 400, message, errorCode };
  if (error instanceof KmsJwtOptionsError) {
    return { status: 500, message: 'Internal Server Error', errorCode };
  }
  return { status: 503, message: 'Service Unavailable', errorCode };
}

/**
 * Logs a refusal that is not the client's fault, as nothing else reports it: 503 when KMS or the revocation check is
 * unavailable, 500 for a mistake in the program. Call it once per refused call.
 */
export function reportRefusal(error: unknown, log: Pick<Log, 'error'>): void {
  if (refusalOf(error).status < 500) return;
  // What was thrown may quote a token.
  log.error(
    error instanceof Error
      ? lineOf(error)
      : `A call was refused, because the app threw a value of type ${typeof error}`,
  );
}

/** Logs an error that could not be sent, also one that is the client's fault. */
export function reportUnsent(error: Error, log: Pick<Log, 'error'>): void {
  log.error(`${lineOf(error)} (not sent: the response had begun)`);
}

function lineOf(error: Error): string {
  // The message of a foreign error, or of a cause, may quote what was sent.
  const message = error instanceof KmsJwtError ? `${error.name}: ${error.message}` : describe(error);
  return message + (error.cause instanceof Error ? ` (caused by ${describe(error.cause)})` : '');
}

function describe(error: Error): string {
  const code = codeOf(error);
  return code === undefined ? nameOf(error) : `${nameOf(error)} ${code}`;
}
