import { HttpException, HttpStatus, Logger } from '@nestjs/common';
import {
  type KmsJwtError,
  KmsAccessDeniedError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
  TokenError,
  TokenMissingError,
} from '../errors.js';

/** The response of Express and of Fastify, as far as both set a header in the same way. */
export interface HttpResponse {
  header(name: string, value: string): unknown;
}

interface Refusal {
  status: number;
  /** What the client is told; the error's own message is for the log where the fault is ours. */
  message: string;
  headers: Record<string, string>;
}

const RETRY_AFTER_SECONDS = '1';
const logger = new Logger('KmsJwt');

/**
 * The exception that tells an HTTP client of an error, its headers set on the response: 401 with the challenge of
 * RFC 6750, section 3, for a bad token; 503 with Retry-After for what KMS cannot do now; 500 for what is wrong in the
 * program. What is not the client's fault is logged, as nobody else hears of it.
 */
export function refuseHttp(error: KmsJwtError, response: HttpResponse): HttpException {
  const { status, message, headers } = refusalOf(error);
  if (status >= 500) logger.error(`${error.name}: ${error.message}`);
  for (const [name, value] of Object.entries(headers)) response.header(name, value);
  const body = { statusCode: status, message, errorCode: error.code };
  return new HttpException(body, status, { cause: error, errorCode: error.code });
}

function refusalOf(error: KmsJwtError): Refusal {
  if (error instanceof TokenError) {
    const challenge = { 'WWW-Authenticate': challengeOf(error) };
    return { status: HttpStatus.UNAUTHORIZED, message: error.message, headers: challenge };
  }
  if (isOfKms(error)) {
    const retry = { 'Retry-After': RETRY_AFTER_SECONDS };
    return { status: HttpStatus.SERVICE_UNAVAILABLE, message: 'Service Unavailable', headers: retry };
  }
  return { status: HttpStatus.INTERNAL_SERVER_ERROR, message: 'Internal Server Error', headers: {} };
}

function challengeOf(error: TokenError): string {
  if (error instanceof TokenMissingError) return 'Bearer';
  // RFC 6750, section 3: a description is printable ASCII without quotation mark and backslash.
  const description = error.message.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
  return `Bearer error="invalid_token", error_description="${description}"`;
}

function isOfKms(error: KmsJwtError): boolean {
  return (
    error instanceof KmsUnavailableError ||
    error instanceof KmsAccessDeniedError ||
    error instanceof KmsKeyError ||
    error instanceof KmsSignatureError
  );
}
