import {
  applyDecorators,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  type Type,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { claimsOf } from 'nestjs-kms-jwt';
import { from, mergeMap, tap } from 'rxjs';
import { callContextOf } from './call-context.js';
import { ledger, type SeenClaims } from './ledger.js';
import { random } from './run.js';

/** A guard of the app that runs after that of the library, and observes the call before and after a pause. */
@Injectable()
class WitnessGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { id } = callContextOf(context);
    ledger.observe(id, 'guard', claimsOf(context));
    await random.nap();
    ledger.observe(id, 'guard, later', claimsOf(context));
    return true;
  }
}

@Injectable()
class WitnessInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const { id, request, isShared } = callContextOf(context);
    const observe = (place: string) => {
      ledger.observe(id, place, claimsOf(context));
      ledger.observeUser(id, isShared, () => request.user);
    };
    observe('interceptor');
    return from(random.nap()).pipe(
      tap(() => observe('interceptor, later')),
      mergeMap(() => next.handle()),
      tap(() => observe('interceptor, after the handler')),
    );
  }
}

/** A slow pipe, between the parameters of a handler and the handler itself. */
@Injectable()
export class SlowPipe implements PipeTransform {
  async transform(value: unknown): Promise<unknown> {
    await random.nap();
    return value;
  }
}

/** Guards a handler, and observes its calls before and after it. */
export function Witnessed(...guards: Type<CanActivate>[]) {
  return applyDecorators(UseGuards(...guards, WitnessGuard), UseInterceptors(WitnessInterceptor));
}

/** The answer of every handler: whose claims it has. */
export interface Answer {
  call: string;
  sub: string | null;
  jti: string | null;
}

/** The body of every handler. */
export async function answer(
  call: string,
  claims: SeenClaims | undefined,
  sub: string | undefined,
): Promise<Answer> {
  ledger.observe(call, 'handler', claims);
  if (claims?.sub !== sub)
    ledger.report('claims of another call', `@Claims('sub') ${sub}, but @Claims() ${claims?.sub}`);
  await random.nap();
  return { call, sub: claims?.sub ?? null, jti: claims?.jti ?? null };
}

/** The claims in an answer, as its client received it. */
export function observeAnswer({ call, sub, jti }: Answer): void {
  ledger.observe(call, 'client', sub || jti ? { sub, jti } : undefined);
}
