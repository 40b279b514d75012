import type { ExecutionContext } from '@nestjs/common';
import type { JwtClaims } from '../jwt/claims.js';
import { transportOf } from './transports/index.js';
import type { Transport } from './transports/transport.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;

/**
 * By call and handler: on some transports the messages of a socket are one call, and the client chooses which of them
 * arrive between a guard and its handler.
 */
const claimsByCall = new WeakMap<object, Map<Handler, JwtClaims>>();
/** The claims that a guard put at the app's property of a request. */
const placed = new WeakMap<object, JwtClaims>();

/** Records the claims of this call for `@Claims()`, and sets the app's property of the request. */
export function recordClaims(
  transport: Transport,
  context: ExecutionContext,
  claims: JwtClaims,
  property: string,
): void {
  const call = transport.callOf(context);
  const byHandler = claimsByCall.get(call) ?? new Map<Handler, JwtClaims>();
  byHandler.set(context.getHandler(), claims);
  claimsByCall.set(call, byHandler);

  const request = transport.requestOf(context);
  Reflect.set(request, property, claims);
  placed.set(request, claims);
}

/** For a call that passes without claims, or is refused: those of an earlier call may no longer hold. */
export function clearClaims(transport: Transport, context: ExecutionContext, property: string): void {
  claimsByCall.get(transport.callOf(context))?.delete(context.getHandler());

  const request = transport.requestOf(context);
  const claims = placed.get(request);
  if (claims && Reflect.get(request, property) === claims) Reflect.deleteProperty(request, property);
  placed.delete(request);
}

export function recordedClaims(context: ExecutionContext): JwtClaims | undefined {
  const transport = transportOf(context);
  const byHandler = claimsByCall.get(transport.callOf(context));
  const own = byHandler?.get(context.getHandler());
  return own ?? (transport.hasNestedHandlers ? byHandler?.values().next().value : undefined);
}
