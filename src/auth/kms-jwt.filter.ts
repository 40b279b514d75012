import { type ArgumentsHost, Catch } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { KmsJwtError } from '../errors/errors.js';
import { refuseGraphql } from './transports/graphql.js';
import { type HttpResponse, refuseHttp } from './transports/http.js';
import { rpcError } from './transports/rpc.js';
import { tell } from './transports/websocket.js';

/**
 * Answers as the guard does where a handler itself called `sign` or `verify` and lets the error pass: 503 with
 * Retry-After while KMS is away, 401 for a bad token. Without it, Nest answers 500 to both.
 *
 * @example
 * providers: [{ provide: APP_FILTER, useClass: KmsJwtExceptionFilter }]
 */
@Catch(KmsJwtError)
export class KmsJwtExceptionFilter extends BaseExceptionFilter {
  override catch(error: KmsJwtError, host: ArgumentsHost): unknown {
    switch (host.getType<string>()) {
      case 'http':
        return super.catch(refuseHttp(error, host.switchToHttp().getResponse<HttpResponse>()), host);
      case 'ws':
        return tell(host.switchToWs().getClient<object>(), error);
      case 'rpc':
        return throwError(() => rpcError(error, host.switchToRpc().getContext<object | undefined>()));
      default:
        return refuseGraphql(error);
    }
  }
}
