import {
  createParamDecorator,
  type CustomDecorator,
  type ExecutionContext,
  type PipeTransform,
  SetMetadata,
  type Type,
} from '@nestjs/common';
import { KmsJwtOptionsError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import type { RouteVerifyOptions } from '../options/kms-jwt.options.js';
import { readVerifyOptions } from '../options/read-options.js';
import { type Access, ACCESS, SCOPES, VERIFY_OPTIONS } from './access.js';
import { claimsOf } from './request-claims.js';
import { isScopeToken } from './scopes.js';

/**
 * Allows calls of a route, or of every route of a controller, without a token, although a `KmsJwtGuard` of the class or the app
 * would require one; a token is ignored. `@Public(false)` on a route requires a token again. A guard on the same method or class
 * as `@Public()`, or nearer to the handler, still requires a token.
 *
 * @param args `false` to require a token again. Default: `true`
 * @throws KmsJwtOptionsError at once for an argument that is not true or false, undefined included
 *
 * @example
 * ```ts
 * @Controller('auth')
 * export class AuthController {
 *   @Public()
 *   @Post('login')
 *   login(@Body() credentials: Credentials) {
 *     return this.auth.login(credentials);
 *   }
 * }
 * ```
 */
export function Public(...args: [isPublic?: boolean]): CustomDecorator {
  const isPublic = args.length === 0 ? true : args[0];
  if (typeof isPublic !== 'boolean') {
    throw new KmsJwtOptionsError(
      'Public',
      'takes true, false or no argument: it must not open a route by mistake',
    );
  }
  return SetMetadata(ACCESS, (isPublic ? 'public' : 'required') satisfies Access);
}

/**
 * Allows a request without a token or with a valid one; refuses an invalid one. `@Claims()` is `undefined` without a
 * token.
 *
 * @example
 * ```ts
 * @Controller('articles')
 * export class ArticlesController {
 *   @OptionalAuth()
 *   @Get()
 *   list(@Claims() claims?: JwtClaims) {
 *     return this.articles.visibleTo(claims?.sub);
 *   }
 * }
 * ```
 */
export function OptionalAuth(): CustomDecorator {
  return SetMetadata(ACCESS, 'optional' satisfies Access);
}

/**
 * Requires every one of these scopes in the claim `scope` (RFC 8693, section 4.2: separated by spaces) or `scp` (the
 * same, or an array). A token without them is refused with an `InsufficientScopeError`: 403. Scopes on a method replace
 * those on its class; two `@Scopes()` on one method or class require the scopes of both.
 *
 * @param scopes at least one scope
 * @throws KmsJwtOptionsError at once if no scope is given, or if one is not a scope-token of RFC 6749, section 3.3
 *
 * @example
 * ```ts
 * @Controller('orders')
 * export class OrdersController {
 *   @Scopes('orders:read', 'orders:write')
 *   @Post()
 *   create(@Body() order: Order) {
 *     return this.orders.create(order);
 *   }
 * }
 * ```
 */
export function Scopes(...scopes: [string, ...string[]]): CustomDecorator {
  if (scopes.length === 0) throw new KmsJwtOptionsError('Scopes', 'needs at least one scope');
  if (!scopes.every(isScopeToken)) {
    throw new KmsJwtOptionsError(
      'Scopes',
      'takes one scope per argument, of printable ASCII characters except space, " and \\ (RFC 6749, section 3.3)',
    );
  }
  return setMetadataOn(SCOPES, (target) => {
    const known = (Reflect.getOwnMetadata(SCOPES, target) as string[] | undefined) ?? [];
    return [...new Set([...scopes, ...known])];
  });
}

/**
 * Verifies the tokens of one route, or of a controller, with these options. They add to the module's `verifyOptions`, and those
 * on a method add to those on its class; in both cases, they override options of the same name.
 *
 * @param options as for `verify`, except for `complete` and `clockTimestamp`
 * @throws KmsJwtOptionsError at once for wrong options
 *
 * @example
 * ```ts
 * @Controller('account')
 * export class AccountController {
 *   @VerifyWith({ maxAge: '5m', requiredClaims: ['sub'] })
 *   @Delete()
 *   close(@Claims('sub') userId: string) {
 *     return this.accounts.close(userId);
 *   }
 * }
 * ```
 */
export function VerifyWith(options: RouteVerifyOptions): CustomDecorator {
  refuseOptionsOfOneCall(options);
  readVerifyOptions(options, {});
  const given = { ...options };
  // Options of a base class count, too: a derived class that sets another option must not lose the audience.
  return setMetadataOn(VERIFY_OPTIONS, (target) => ({
    ...(Reflect.getMetadata(VERIFY_OPTIONS, target) as RouteVerifyOptions | undefined),
    ...given,
  }));
}

/** The options of `verify` that a route cannot have, and the remedy, for callers in JavaScript: the types exclude them. */
const OPTIONS_OF_ONE_CALL = {
  clockTimestamp:
    'would freeze the clock of the route, so that its tokens never expire: leave it out, or give it to a call of verify()',
  complete:
    'would hide the claims from @Claims() and claimsOf(): leave it out; decode() gives the header of a verified token',
};

function refuseOptionsOfOneCall(options: unknown): void {
  if (typeof options !== 'object' || options === null) return;
  for (const [option, problem] of Object.entries(OPTIONS_OF_ONE_CALL)) {
    if (option in options) throw new KmsJwtOptionsError(`VerifyWith.${option}`, problem);
  }
}

/** Like `SetMetadata`, with a value that depends on the method or class that is decorated. */
function setMetadataOn(key: string, valueFor: (target: object) => unknown): CustomDecorator {
  const decorate = (target: object, _property?: string | symbol, descriptor?: PropertyDescriptor) => {
    const decorated = (descriptor?.value as object | undefined) ?? target;
    Reflect.defineMetadata(key, valueFor(decorated), decorated);
  };
  return Object.assign(decorate, { KEY: key });
}

/**
 * The claims that `KmsJwtGuard` verified, or one of them; `undefined` when the route allowed a request without a token.
 *
 * @param claim the name of one claim. Default: all claims
 * @param pipes applied to the value
 *
 * @example
 * ```ts
 * @Controller()
 * export class ProfileController {
 *   @Get('me')
 *   me(@Claims() claims: JwtClaims, @Claims('sub') userId: string) {
 *     return { userId, issuer: claims.iss };
 *   }
 * }
 * ```
 *
 * @example
 * ```ts
 * // With a type for your claims, the name must be one of its members; pipes may follow.
 * @Controller()
 * export class TenantController {
 *   @Get('tenant')
 *   tenant(@Claims<AccessToken>('tenant', ParseUUIDPipe) tenant: string) {
 *     return { tenant };
 *   }
 * }
 * ```
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
