import type { ExecutionContext } from '@nestjs/common';
import type { JwtClaims } from '../jwt/claims.js';
import { transportOf } from './transports/index.js';

// Apart from `user`, which other libraries set too, so that @Claims() gives what the guard verified and nothing else.
const CLAIMS = Symbol.for('nestjs-kms-jwt:claims');

/** Keeps the claims of this call for `@Claims()`, and at the property of the request that the app asked for. */
export function keepClaims(context: ExecutionContext, claims: JwtClaims, property: string): void {
  const transport = transportOf(context);
  const request = transport.requestOf(context);
  Reflect.set(request, property, claims);
  // On the request too: a field resolver of GraphQL is another call of the same request.
  for (const holder of [request, transport.callOf(context)]) {
    Object.defineProperty(holder, CLAIMS, { value: claims, configurable: true });
  }
}

/** Of a call that passes without claims: a socket has those of earlier messages, and nobody asked whether they hold. */
export function forgetClaims(context: ExecutionContext): void {
  const transport = transportOf(context);
  for (const holder of [transport.requestOf(context), transport.callOf(context)]) {
    Reflect.deleteProperty(holder, CLAIMS);
  }
}

export function keptClaims(context: ExecutionContext): JwtClaims | undefined {
  const transport = transportOf(context);
  const claims: unknown =
    Reflect.get(transport.callOf(context), CLAIMS) ?? Reflect.get(transport.requestOf(context), CLAIMS);
  return claims as JwtClaims | undefined;
}
