import {
  createParamDecorator,
  type CustomDecorator,
  type ExecutionContext,
  type PipeTransform,
  SetMetadata,
  type Type,
} from '@nestjs/common';
import type { JwtClaims } from '../jwt/claims.js';
import type { RouteVerifyOptions } from '../options/kms-jwt.options.js';
import { readVerifyOptions } from '../options/read-options.js';
import { keptClaims } from './request-claims.js';

/** Fixed strings, so that two copies of this package in one process understand each other. */
export const ACCESS = 'nestjs-kms-jwt:access';
export const SCOPES = 'nestjs-kms-jwt:scopes';
export const VERIFY_OPTIONS = 'nestjs-kms-jwt:verify-options';

/** What a route asks of a token: nothing, that it is good where there is one, or that there is a good one. */
export type Access = 'public' | 'optional' | 'required';

/**
 * Opens a route, or every route of a controller, that a `KmsJwtGuard` above it would close; a token is not looked at.
 * `@Public(false)` on a route closes it again. A guard that stands beside `@Public()`, on the same method or class, or nearer to the handler, stays closed.
 *
 * @example
 * \@Public() \@Post('login') login() { … }
 */
export function Public(isPublic = true): CustomDecorator {
  return SetMetadata(ACCESS, (isPublic ? 'public' : 'required') satisfies Access);
}

/**
 * Lets a request pass without a token, and with a good one; refuses a bad one. `@Claims()` is `undefined` where there is
 * none.
 *
 * @example
 * \@OptionalAuth() \@Get() list(\@Claims() claims?: JwtClaims) { … }
 */
export function OptionalAuth(): CustomDecorator {
  return SetMetadata(ACCESS, 'optional' satisfies Access);
}

/**
 * Asks for scopes, all of them, in the claim `scope` (RFC 8693, section 4.2: separated by spaces) or `scp` (the same, or
 * an array). A token without them is refused with an `InsufficientScopeError`: 403. Those on a method stand in the place
 * of those on its class.
 *
 * @example
 * \@Scopes('orders:read', 'orders:write') \@Post() order() { … }
 */
export function Scopes(...scopes: [string, ...string[]]): CustomDecorator {
  return SetMetadata(SCOPES, scopes);
}

/**
 * Verifies the tokens of one route, or of a controller, by options of its own. They stand before the module's
 * `verifyOptions`; those on a method stand in the place of those on its class.
 *
 * @throws KmsJwtOptionsError at once for wrong options
 *
 * @example
 * \@VerifyWith({ maxAge: '5m', requiredClaims: ['sub'] }) \@Delete() close() { … }
 */
export function VerifyWith(options: RouteVerifyOptions): CustomDecorator {
  readVerifyOptions(options, {});
  return SetMetadata(VERIFY_OPTIONS, options);
}

/**
 * The claims that `KmsJwtGuard` verified, or one of them; `undefined` where the route let a request pass without.
 *
 * @example
 * me(\@Claims() claims: JwtClaims, \@Claims('sub') userId: string) { … }
 *
 * @example
 * // With claims of your own, the name must be one of theirs; pipes may follow.
 * tenant(\@Claims<AccessToken>('tenant') tenant: string) { … }
 */
export function Claims<Own extends object = JwtClaims>(
  claim?: keyof Own & string,
  ...pipes: (Type<PipeTransform> | PipeTransform)[]
): ParameterDecorator {
  return readClaims(claim, ...pipes);
}

const readClaims = createParamDecorator((claim: string | undefined, context: ExecutionContext) => {
  const claims = keptClaims(context);
  return claim === undefined ? claims : claims?.[claim];
});
