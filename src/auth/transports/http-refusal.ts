import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import {
  InsufficientScopeError,
  type KmsJwtError,
  TokenAmbiguousError,
  TokenError,
  TokenMissingError,
} from '../../errors/errors.js';
import { refusalOf } from '../refusal.js';

const RETRY_AFTER_SECONDS = '1';

/**
 * Converts an error to the exception with which `KmsJwtGuard` and `KmsJwtExceptionFilter` respond to it, for an exception filter
 * of the app that catches everything. Its body has the error's message and code, and the name of the status as `error`. For a 500
 * and a 503, the message is also the name of the status: log the original error then, as the filter of this library would.
 *
 * @returns an HttpException with the `headers` that belong to its status, `WWW-Authenticate` (RFC 6750, section 3) or
 * `Retry-After`: set them on the response, because Nest does not
 *
 * @example
 * ```ts
 * @Catch()
 * export class AppExceptionFilter extends BaseExceptionFilter {
 *   override catch(error: unknown, host: ArgumentsHost) {
 *     if (!(error instanceof KmsJwtError)) return super.catch(error, host);
 *     const exception = toHttpException(error);
 *     const response = host.switchToHttp().getResponse<Response>();
 *     response.status(exception.getStatus()).set(exception.headers).json(exception.getResponse());
 *   }
 * }
 * ```
 */
export function toHttpException(
  error: KmsJwtError,
): HttpException & { readonly headers: Readonly<Record<string, string>> } {
  const body = httpBody(error);
  const exception = new HttpException(body, body.statusCode, { cause: error, errorCode: body.errorCode });
  return Object.assign(exception, { headers: headersOfRefusal(error) });
}

/** The body of a refusal over HTTP: in the format of Nest's own exceptions, plus the code of the error. */
export function httpBody(error: unknown) {
  const { status, message, errorCode } = refusalOf(error);
  return { statusCode: status, message, error: STATUS_CODES[status], errorCode };
}

/** The headers that belong to the status of a refusal. */
export function headersOfRefusal(error: unknown): Record<string, string> {
  const authenticate = challengeOf(error);
  return {
    ...(authenticate !== undefined && { 'WWW-Authenticate': authenticate }),
    ...(refusalOf(error).status === 503 && { 'Retry-After': RETRY_AFTER_SECONDS }),
  };
}

/** The challenge in `WWW-Authenticate`, if the answer has one (RFC 6750, section 3). */
function challengeOf(error: unknown): string | undefined {
  if (error instanceof TokenMissingError) return 'Bearer';
  if (error instanceof TokenError) return challenge('invalid_token', error.message);
  if (error instanceof TokenAmbiguousError) return challenge('invalid_request', error.message);
  if (!(error instanceof InsufficientScopeError)) return undefined;
  return `${challenge('insufficient_scope', error.message)}, scope="${printable(error.scopes.join(' '))}"`;
}

function challenge(error: string, description: string): string {
  return `Bearer error="${error}", error_description="${printable(description)}"`;
}

// RFC 6750, section 3: printable ASCII without quotation mark and backslash.
function printable(value: string): string {
  return value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
