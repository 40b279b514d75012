import type { ExecutionContext } from '@nestjs/common';
import type { JwtClaims } from '../jwt/claims.js';
import { transportOf } from './transports/index.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;

/**
 * By call and handler: the messages of a socket are one call to some transports, and the client chooses which come
 * between a guard and its handler.
 */
const kept = new WeakMap<object, Map<Handler, JwtClaims>>();
/** What stands at the app's property of a request because a guard put it there. */
const placed = new WeakMap<object, JwtClaims>();

/** Keeps the claims of this call for `@Claims()`, and at the property of the request that the app asked for. */
export function keepClaims(context: ExecutionContext, claims: JwtClaims, property: string): void {
  const transport = transportOf(context);
  const call = transport.callOf(context);
  const byHandler = kept.get(call) ?? new Map<Handler, JwtClaims>();
  byHandler.set(context.getHandler(), claims);
  kept.set(call, byHandler);

  const request = transport.requestOf(context);
  Reflect.set(request, property, claims);
  placed.set(request, claims);
}

/** Of a call that passes without claims, or not at all: nobody asked whether those of an earlier one still hold. */
export function forgetClaims(context: ExecutionContext, property: string): void {
  const transport = transportOf(context);
  kept.get(transport.callOf(context))?.delete(context.getHandler());

  const request = transport.requestOf(context);
  const claims = placed.get(request);
  if (claims && Reflect.get(request, property) === claims) Reflect.deleteProperty(request, property);
  placed.delete(request);
}

export function keptClaims(context: ExecutionContext): JwtClaims | undefined {
  const transport = transportOf(context);
  const byHandler = kept.get(transport.callOf(context));
  const own = byHandler?.get(context.getHandler());
  return own ?? (transport.hasNestedHandlers ? byHandler?.values().next().value : undefined);
}
