import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { KmsJwtError } from '../errors/errors.js';
import { levelsOf, verifyOptionsOf } from './access.js';
import { reportRefusal } from './refusal.js';
import { verifiedFor } from './request-claims.js';
import { transportOf } from './transports/index.js';

/**
 * Ends the Observable that a handler has returned when the token of its call is no longer valid: for streams over TCP, Redis,
 * NATS and other transports whose connection the guard cannot end. It ends with the error that the guard would throw for a call.
 *
 * @example
 * ```ts
 * @Controller()
 * export class PricesController {
 *   @UseInterceptors(KmsJwtExpiryInterceptor)
 *   @MessagePattern('prices')
 *   prices() {
 *     return this.prices$;
 *   }
 * }
 * ```
 */
@Injectable()
export class KmsJwtExpiryInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const verified = verifiedFor(context);
    if (!verified) return next.handle();
    const { jwt } = verified;
    const options = verifyOptionsOf(levelsOf(context));
    return new Observable((subscriber) => {
      const end = async (error: KmsJwtError) => {
        reportRefusal(error, jwt.log);
        subscriber.error(await transportOf(context).refuse(error, context));
      };
      try {
        subscriber.add(jwt.accepted.watch(verified, options, (error) => void end(error)));
        subscriber.add(next.handle().subscribe(subscriber));
      } catch (error) {
        void end(error as KmsJwtError);
      }
    });
  }
}
