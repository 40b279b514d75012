import type { ExecutionContext } from '@nestjs/common';
import { KmsJwtOptionsError } from '../../errors/errors.js';
import { isInfo } from './graphql.js';
import { prototypeOf } from './prototype-of.js';

/** Options of `KmsJwtGuard.verifyReference`. */
export interface ReferenceOptions {
  /** The resolver or its class, if `@Scopes()` and `@VerifyWith()` on the class are to count. Default: they do not. */
  resolver?: object;
}

/**
 * The context of a `__resolveReference`, as a guard would get it.
 *
 * @param resolver its class counts as the class of the handler
 * @throws KmsJwtOptionsError for other arguments: the token would not be found, and its claims would not be recorded
 */
export function referenceContext(context: unknown, info: unknown, resolver: object = {}): ExecutionContext {
  if (typeof context !== 'object' || context === null || !isInfo(info)) {
    throw new KmsJwtOptionsError(
      'verifyReference',
      'needs the second and the third argument of __resolveReference: the context and the info of the operation',
    );
  }
  const { constructor } = prototypeOf(resolver);
  const args = [undefined, context, info];
  return {
    getType: () => 'graphql',
    getClass: () => constructor,
    getHandler: () => referenceContext,
    getArgs: () => args,
    getArgByIndex: (index: number) => args[index],
    switchToHttp: refuseSwitch,
    switchToRpc: refuseSwitch,
    switchToWs: refuseSwitch,
  } as unknown as ExecutionContext;
}

function refuseSwitch(): never {
  throw new TypeError(
    'The context of a reference has only the arguments of GraphQL: use GqlExecutionContext',
  );
}
