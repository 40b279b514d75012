import type { ExecutionContext } from '@nestjs/common';
import { KmsJwtOptionsError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import { transportOf } from './transports/index.js';
import type { Transport } from './transports/transport.js';
import type { Verified } from './verified-token.js';

/** The verified token of each call, by the object that identifies the call in its transport; null for a call without a token. */
const verifiedByCall = new WeakMap<object, Verified | null>();
/** Objects that are shared by calls which were verified with different tokens, or by different registrations. */
const ambiguous = new WeakSet<object>();

/** Records the claims of one call: no other call sees or removes them. */
export function recordClaims(transport: Transport, context: ExecutionContext, verified: Verified): void {
  for (const call of transport.callsToRecord(context)) verifiedByCall.set(call, verified);
  for (const call of transport.sharedCalls?.(context) ?? []) {
    const known = verifiedByCall.get(call);
    if (known && (known.token !== verified.token || known.jwt !== verified.jwt)) ambiguous.add(call);
    verifiedByCall.set(call, verified);
  }
}

/** Records that a call was allowed without a token: it must not get the claims of the GraphQL field above it. */
export function recordNoClaims(transport: Transport, context: ExecutionContext): void {
  for (const call of transport.callsToRecord(context)) {
    // Another guard of this call may have verified a token.
    if (!verifiedByCall.has(call)) verifiedByCall.set(call, null);
  }
}

/**
 * The claims that `KmsJwtGuard` verified for this call, for the app's own guards, interceptors and parameter decorators;
 * `undefined` when the call was allowed without a token or no `KmsJwtGuard` guards it. In GraphQL, a field without a guard has
 * the claims of the nearest field above it that has one.
 *
 * @param context the context of the call
 * @throws KmsJwtOptionsError for a transport that is not supported, and for a field of a federated entity if the references of
 * one operation were verified with different tokens
 *
 * @example
 * ```ts
 * @Injectable()
 * export class AdminGuard implements CanActivate {
 *   canActivate(context: ExecutionContext) {
 *     return claimsOf<{ roles?: string[] }>(context)?.roles?.includes('admin') ?? false;
 *   }
 * }
 * ```
 */
export function claimsOf<Own extends object = JwtClaims>(
  context: ExecutionContext,
): (Own & JwtClaims) | undefined {
  return verifiedFor(context)?.claims as (Own & JwtClaims) | undefined;
}

export function verifiedFor(context: ExecutionContext): Verified | undefined {
  for (const call of transportOf(context).callsToRead(context)) {
    if (ambiguous.has(call)) throw ambiguousClaims();
    const verified = verifiedByCall.get(call);
    if (verified !== undefined) return verified ?? undefined;
  }
  return undefined;
}

function ambiguousClaims(): KmsJwtOptionsError {
  return new KmsJwtOptionsError(
    'claims',
    'are ambiguous, as references of one operation were verified with different tokens: put into each entity what its fields need',
  );
}

/** Where the claims in a property of a request come from. */
interface Owner {
  readonly registration: string;
  readonly token: string;
  /** In the claims of an overridden `authenticate`, `iss` and `sub` may be of any type. */
  readonly iss: unknown;
  readonly sub: unknown;
}

/** Claims in a property of a request; the owner is undefined once there have been several. */
interface Placed {
  readonly property: string;
  owner: Owner | undefined;
}

/** By request; few have more than one. */
const placedOn = new WeakMap<object, Placed[]>();

/**
 * Sets the app's property of the request, `user` by default. In GraphQL and on sockets several calls share the request:
 * there the property has the claims of the last admitted call. It is never deleted; once calls of different users, or of
 * different registrations, share the request, reading it throws, even after the response: a handler may still run.
 */
export function placeOnRequest(
  request: object,
  property: string,
  { registration, token, claims }: Pick<Verified, 'registration' | 'token' | 'claims'>,
): void {
  const owner = { registration, token, iss: claims.iss, sub: claims.sub };
  const all = placedOn.get(request);
  const placed = all?.find((one) => one.property === property);
  if (placed && !(placed.owner && isSame(placed.owner, owner))) {
    placed.owner = undefined;
    return refuseToRead(request, property);
  }
  if (placed) placed.owner = owner;
  else if (all) all.push({ property, owner });
  else placedOn.set(request, [{ property, owner }]);
  Reflect.set(request, property, claims);
}

/** Whether both have the same registration and user. Users are compared by `iss` and `sub`; without any `sub`, by the token. */
function isSame(one: Owner, other: Owner): boolean {
  if (one.registration !== other.registration) return false;
  const hasUser = typeof one.sub === 'string' || typeof other.sub === 'string';
  return hasUser ? one.sub === other.sub && one.iss === other.iss : one.token === other.token;
}

function refuseToRead(request: object, property: string): void {
  // An error and not undefined: a query `where: { ownerId: undefined }` would find the rows of everybody.
  Reflect.defineProperty(request, property, {
    configurable: true,
    enumerable: false,
    get() {
      throw new KmsJwtOptionsError(
        `request.${property}`,
        'is ambiguous, as calls of different users share the request: use @Claims() or claimsOf(context)',
      );
    },
    set(value: unknown) {
      Reflect.defineProperty(request, property, {
        configurable: true,
        enumerable: true,
        writable: true,
        value,
      });
    },
  });
}
