import type { ExecutionContext } from '@nestjs/common';
import type { RouteVerifyOptions } from '../options/kms-jwt.options.js';

/** Metadata keys. Fixed strings, so that two copies of this package in one process understand each other. */
export const ACCESS = 'nestjs-kms-jwt:access';
export const SCOPES = 'nestjs-kms-jwt:scopes';
export const VERIFY_OPTIONS = 'nestjs-kms-jwt:verify-options';

/** What a route requires: nothing, a valid token if there is one, or a valid token. */
export type Access = 'public' | 'optional' | 'required';

/** Where decorators can stand, the nearest first: the handler, then its class. */
export type Levels = readonly [
  handler: ReturnType<ExecutionContext['getHandler']>,
  controller: ReturnType<ExecutionContext['getClass']>,
];

export function levelsOf(context: ExecutionContext): Levels {
  return [context.getHandler(), context.getClass()];
}

/**
 * The access that a guard must enforce; `elsewhere` when a guard of another registration stands nearer to the handler and
 * decides. `@Public()` and `@OptionalAuth()` count only when they stand nearer than the guard (or, for the
 * latter, beside it), and `@Public()` only when no `@Scopes()` or `@VerifyWith()` stands as near or nearer.
 */
export function accessFor(guard: object, levels: Levels): Access | 'elsewhere' {
  const level = levelOf(guard, levels);
  if (defersToNearerGuard(guard, levels.slice(0, level))) return 'elsewhere';

  const declaredAt = levels.findIndex((one) => Reflect.hasMetadata(ACCESS, one));
  if (declaredAt === -1) return 'required';
  const access = Reflect.getMetadata(ACCESS, levels[declaredAt] as object) as Access;
  if (access === 'optional') return declaredAt <= level ? 'optional' : 'required';
  const requiresMore = levels.slice(0, declaredAt + 1).some(hasRequirements);
  return access === 'public' && declaredAt < level && !requiresMore ? 'public' : 'required';
}

/**
 * The options of `@VerifyWith()` for a call: those of the class, and those of the handler, which add to them or override
 * them by name; undefined without any.
 */
export function verifyOptionsOf([handler, controller]: Levels): RouteVerifyOptions | undefined {
  const [ofHandler, ofClass] = [handler, controller].map(
    (level) => Reflect.getMetadata(VERIFY_OPTIONS, level) as RouteVerifyOptions | undefined,
  );
  return ofHandler || ofClass ? { ...ofClass, ...ofHandler } : undefined;
}

/** The scopes of `@Scopes()` for a call: those of the handler replace those of its class. */
export function scopesOf(levels: Levels): readonly string[] {
  const scopes = levels.map((level) => Reflect.getMetadata(SCOPES, level) as string[] | undefined);
  return scopes.find((ofLevel) => ofLevel !== undefined) ?? [];
}

/** The guards that allowed a call: one, or several. Nest passes the same context to all guards of a call. */
const allowedBy = new WeakMap<ExecutionContext, object | Set<object>>();

/** @param identity of the guard: see `identityIn` */
export function hasAllowed(identity: object, context: ExecutionContext): boolean {
  const allowed = allowedBy.get(context);
  return allowed === identity || (allowed instanceof Set && allowed.has(identity));
}

export function rememberAllowed(identity: object, context: ExecutionContext): void {
  const allowed = allowedBy.get(context);
  if (!allowed) allowedBy.set(context, identity);
  else if (allowed instanceof Set) allowed.add(identity);
  else allowedBy.set(context, new Set([allowed, identity]));
}

/** Identifies a guard within a call: by its class when Nest made the instance, by itself when the app did. */
export function identityIn(guard: object, levels: Levels): object {
  const guards = new Set(levels.flatMap(guardsOn));
  return guards.has(guard.constructor) && !guards.has(guard) ? guard.constructor : guard;
}

/** The index of the level that the guard stands on; beyond the last for a global guard. */
function levelOf(guard: object, levels: Levels): number {
  const level = levels.findIndex((one) =>
    guardsOn(one).some((other) => other === guard || other === guard.constructor),
  );
  return level === -1 ? levels.length : level;
}

function defersToNearerGuard(guard: object, nearer: readonly object[]): boolean {
  const own = registrationOf(guard);
  return nearer.flatMap(guardsOn).some((other) => {
    const registration = registrationOf(other);
    return registration !== undefined && registration !== own;
  });
}

/** Whether a `KmsJwtGuard` stands on the handler or on its class. */
export function hasGuard(levels: Levels): boolean {
  return levels.flatMap(guardsOn).some(isKmsJwtGuard);
}

/** Whether a guard, or its class, is a `KmsJwtGuard`, also one of another copy of this package. */
export function isKmsJwtGuard(guard: unknown): boolean {
  return registrationOf(guard) !== undefined;
}

/** The access of the nearest `@Public()` or `@OptionalAuth()`; undefined without any. */
export function declaredAccess(levels: Levels): Access | undefined {
  const declaring = levels.find((level) => Reflect.hasMetadata(ACCESS, level));
  return declaring && (Reflect.getMetadata(ACCESS, declaring) as Access);
}

function hasRequirements(level: object): boolean {
  return Reflect.hasMetadata(SCOPES, level) || Reflect.hasMetadata(VERIFY_OPTIONS, level);
}

/** The key of the metadata that `@UseGuards()` sets. */
const USE_GUARDS = '__guards__';

/** The guards of `@UseGuards()` on a handler or a class: classes and instances. */
export function guardsOn(level: object): unknown[] {
  return (Reflect.getMetadata(USE_GUARDS, level) as unknown[] | undefined) ?? [];
}

/** The static property by which a `KmsJwtGuard`, also one of another copy of this package, names its registration. */
export const REGISTRATION = 'kmsJwtRegistration';

/** The name of the registration whose tokens a guard, or its class, accepts; undefined unless it is a `KmsJwtGuard`. */
export function registrationOf(guard: unknown): string | undefined {
  const kind = (typeof guard === 'function' ? guard : guard?.constructor) as
    { [REGISTRATION]?: string } | undefined;
  return kind?.[REGISTRATION];
}
