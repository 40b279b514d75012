import type { ArgumentsHost, HttpException } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { eventStreamOf } from './event-stream.js';
import { toHttpException } from './http-refusal.js';
import { rawResponseOf } from './http-response.js';
import type { Transport } from './transport.js';

/** INTERNAL_ERROR of RFC 9113, section 7. `node:http2` has it too, but most apps do not need to load that module. */
const HTTP2_INTERNAL_ERROR = 2;

/** The method by which both Express and Fastify set a header. */
interface HttpResponse {
  header(name: string, value: string): unknown;
}

const requestOf = (host: ArgumentsHost) => host.switchToHttp().getRequest<TokenCarrier>();

function cutOff(host: ArgumentsHost): boolean {
  const response = rawResponseOf(host);
  if (!response.headersSent) return false;
  // Not end(): the client would take the partial response for complete.
  if (response.writableEnded) return true;
  if ('stream' in response) response.stream.close(HTTP2_INTERNAL_ERROR);
  else response.destroy();
  return true;
}

/** The exception has the status and the body; the headers are set on the response at once, unless it has begun. */
function refuse(error: KmsJwtError, host: ArgumentsHost): HttpException {
  const exception = toHttpException(error);
  if (!rawResponseOf(host).headersSent) setHeaders(exception.headers, host);
  return exception;
}

function setHeaders(headers: Readonly<Record<string, string>>, host: ArgumentsHost): void {
  const response = host.switchToHttp().getResponse<HttpResponse>();
  for (const [name, value] of Object.entries(headers)) response.header(name, value);
}

export const http: Transport = {
  carriersOf: (host) => [requestOf(host)],
  requestOf,
  callsToRecord: (context) => [requestOf(context)],
  callsToRead: (context) => [requestOf(context)],
  connectionOf: eventStreamOf,
  refuse,
  cutOff,
  respond: (error, host, next) => next(refuse(error, host)),
};
