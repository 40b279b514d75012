import { type ExecutionContext, HttpException } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { challengeOf, refusalOf } from '../refusal.js';
import type { Transport } from './transport.js';

/** The response of Express and of Fastify, as far as both set a header in the same way. */
export interface HttpResponse {
  header(name: string, value: string): unknown;
}

const RETRY_AFTER_SECONDS = '1';

/** The exception that says it in status and body; the headers are set on the response at once. */
export function refuseHttp(error: KmsJwtError, response: HttpResponse): HttpException {
  const { status, message, errorCode } = refusalOf(error);
  const challenge = challengeOf(error);
  if (challenge) response.header('WWW-Authenticate', challenge);
  if (status === 503) response.header('Retry-After', RETRY_AFTER_SECONDS);
  return new HttpException({ statusCode: status, message, errorCode }, status, { cause: error, errorCode });
}

const requestOf = (context: ExecutionContext) => context.switchToHttp().getRequest<TokenCarrier>();

export const http: Transport = {
  carriersOf: (context) => [requestOf(context)],
  requestOf,
  callOf: requestOf,
  refuse: (error, context) => refuseHttp(error, context.switchToHttp().getResponse<HttpResponse>()),
};
