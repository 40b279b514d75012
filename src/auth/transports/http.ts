import { constants as http2 } from 'node:http2';
import { type ArgumentsHost, HttpException } from '@nestjs/common';
import {
  InsufficientScopeError,
  type KmsJwtError,
  TokenAmbiguousError,
  TokenError,
  TokenMissingError,
} from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { refusalOf } from '../refusal.js';
import { eventStreamOf } from './event-stream.js';
import { rawResponseOf } from './http-response.js';
import type { Transport } from './transport.js';

/** The response of Express and of Fastify, as far as both set a header in the same way. */
interface HttpResponse {
  header(name: string, value: string): unknown;
}

const RETRY_AFTER_SECONDS = '1';

const requestOf = (host: ArgumentsHost) => host.switchToHttp().getRequest<TokenCarrier>();

function cutOff(host: ArgumentsHost): boolean {
  const response = rawResponseOf(host);
  if (!response.headersSent) return false;
  // Not end(): the client would take the part that it has for the whole.
  if (response.writableEnded) return true;
  if ('stream' in response) response.stream.close(http2.NGHTTP2_INTERNAL_ERROR);
  else response.destroy();
  return true;
}

/** The exception has the status and the body; the headers are set on the response at once, unless it has begun. */
function refuse(error: KmsJwtError, host: ArgumentsHost): HttpException {
  const { status, message, errorCode } = refusalOf(error);
  if (!rawResponseOf(host).headersSent) setHeaders(error, status, host);
  return new HttpException({ statusCode: status, message, errorCode }, status, { cause: error, errorCode });
}

function setHeaders(error: KmsJwtError, status: number, host: ArgumentsHost): void {
  const response = host.switchToHttp().getResponse<HttpResponse>();
  const authenticate = challengeOf(error);
  if (authenticate) response.header('WWW-Authenticate', authenticate);
  if (status === 503) response.header('Retry-After', RETRY_AFTER_SECONDS);
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

/** The challenge in `WWW-Authenticate`, if the answer has one (RFC 6750, section 3). */
function challengeOf(error: KmsJwtError): string | undefined {
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
