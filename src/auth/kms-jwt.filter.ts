import { type ArgumentsHost, Catch } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { KmsJwtError } from '../errors.js';
import { type HttpResponse, refuseHttp } from './http-refusal.js';

/**
 * Answers as the guard does where a handler itself called `sign` or `verify` and lets the error pass: 503 with
 * Retry-After while KMS is away, 401 for a bad token. Without it, Nest answers 500 to both.
 *
 * @example
 * providers: [{ provide: APP_FILTER, useClass: KmsJwtExceptionFilter }]
 */
@Catch(KmsJwtError)
export class KmsJwtExceptionFilter extends BaseExceptionFilter {
  override catch(error: KmsJwtError, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error;
    super.catch(refuseHttp(error, host.switchToHttp().getResponse<HttpResponse>()), host);
  }
}
