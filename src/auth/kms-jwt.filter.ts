import { type ArgumentsHost, Catch } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { KmsJwtError } from '../errors/errors.js';
import { DEFAULT_NAME, Log } from '../events/log.js';
import { reportRefusal, reportUnsent } from './refusal.js';
import { findTransport } from './transports/index.js';

/**
 * Answers as the guard does when a handler itself calls `sign` or `verify` and lets the error pass: 503 with Retry-After
 * while KMS is unavailable, 401 for an invalid token. Without it, Nest answers 500 to both. A response that has begun is
 * cut off, so that the client does not take it for complete, and the error is logged.
 *
 * Of several filters of the app, Nest asks the last one first: register it after a filter that catches everything, or that one
 * takes its errors. `toHttpException` is for such a filter.
 *
 * @example
 * ```ts
 * @Module({ providers: [{ provide: APP_FILTER, useClass: KmsJwtExceptionFilter }] })
 * export class AppModule {}
 * ```
 */
@Catch(KmsJwtError)
export class KmsJwtExceptionFilter extends BaseExceptionFilter {
  // An error does not say which instance it came from.
  private readonly log = new Log(DEFAULT_NAME);

  /** @throws the error itself on a transport that this library does not support */
  override catch(error: KmsJwtError, host: ArgumentsHost): unknown {
    const transport = findTransport(host);
    if (transport?.cutOff?.(host)) return reportUnsent(error, this.log);
    reportRefusal(error, this.log);
    if (!transport) throw error;
    return transport.respond(error, host, (exception) => super.catch(exception, host));
  }
}
