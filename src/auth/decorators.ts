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
import { type Access, ACCESS, SCOPES, VERIFY_OPTIONS } from './access.js';
import { claimsOf } from './request-claims.js';

/**
 * Opens a route, or every route of a controller, that a `KmsJwtGuard` further away would close; a token is ignored.
 * `@Public(false)` on a route closes it again. A guard beside `@Public()`, on the same method or class, or nearer to the
 * handler, still requires a token.
 *
 * @example
 * \@Public() \@Post('login') login() { … }
 */
export function Public(isPublic = true): CustomDecorator {
  return SetMetadata(ACCESS, (isPublic ? 'public' : 'required') satisfies Access);
}

/**
 * Allows a request without a token or with a valid one; refuses an invalid one. `@Claims()` is `undefined` without a
 * token.
 *
 * @example
 * \@OptionalAuth() \@Get() list(\@Claims() claims?: JwtClaims) { … }
 */
export function OptionalAuth(): CustomDecorator {
  return SetMetadata(ACCESS, 'optional' satisfies Access);
}

/**
 * Requires every one of these scopes in the claim `scope` (RFC 8693, section 4.2: separated by spaces) or `scp` (the
 * same, or an array). A token without them is refused with an `InsufficientScopeError`: 403. Scopes on a method replace
 * those on its class.
 *
 * @example
 * \@Scopes('orders:read', 'orders:write') \@Post() order() { … }
 */
export function Scopes(...scopes: [string, ...string[]]): CustomDecorator {
  return SetMetadata(SCOPES, scopes);
}

/**
 * Verifies the tokens of one route, or of a controller, with these options. They override the module's `verifyOptions`;
 * those on a method replace those on its class.
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
 * The claims that `KmsJwtGuard` verified, or one of them; `undefined` when the route allowed a request without a token.
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
  const claims = claimsOf(context);
  return claim === undefined ? claims : claims?.[claim];
});
