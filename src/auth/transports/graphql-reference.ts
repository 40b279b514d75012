import type { ExecutionContext } from '@nestjs/common';
import { KmsJwtOptionsError } from '../../errors/errors.js';
import { isInfo } from './graphql.js';
import { prototypeOf } from './prototype-of.js';

/** The parts of a reference, for `verifyReference`. */
export interface ReferenceOptions {
  /** The resolver or its class, if `@Scopes()` and `@VerifyWith()` of its class are to count. */
  resolver?: object;
}

/**
 * The context of a `__resolveReference`, as if a guard were asked.
 *
 * @param resolver its class counts as that of the handler
 * @throws KmsJwtOptionsError for other arguments: without them no token would be found, nor would its claims be recorded
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
    'The context of a reference has the arguments of GraphQL alone: use GqlExecutionContext',
  );
}
