import { type ArgumentsHost, Catch } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { KmsJwtError } from '../errors/errors.js';
import { DEFAULT_NAME, Log } from '../events/log.js';
import { reportRefusal, reportUnsent } from './refusal.js';
import { findTransport } from './transports/index.js';

/**
 * Responds as the guard does to an error of `sign` or `verify` that a handler does not catch: 503 with `Retry-After` while KMS is
 * unavailable, 401 for an invalid token. Without it, the response to both is 500. A response that has begun is cut off, so that
 * the client does not mistake it for a complete one, and the error is logged.
 *
 * Nest tries the filters of the app from the last registered to the first: register this one after a filter that catches
 * everything, which would otherwise handle its errors. `toHttpException` is for such a filter.
 *
 * @example
 * ```ts
 * @Module({ providers: [{ provide: APP_FILTER, useClass: KmsJwtExceptionFilter }] })
 * export class AppModule {}
 * ```
 */
@Catch(KmsJwtError)
export class KmsJwtExceptionFilter extends BaseExceptionFilter {
  // An error does not say which registration it came from.
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
