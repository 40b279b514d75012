import {
  createParamDecorator,
  type CustomDecorator,
  type ExecutionContext,
  SetMetadata,
} from '@nestjs/common';
import { keptClaims } from './transports.js';

export const IS_PUBLIC = 'nestjs-kms-jwt:public';

/**
 * Opens a route, or every route of a controller, that a `KmsJwtGuard` above it would close. `@Public(false)` on a route
 * closes it again.
 *
 * @example
 * \@Public() \@Post('login') login() { … }
 */
export const Public = (isPublic = true): CustomDecorator => SetMetadata(IS_PUBLIC, isPublic);

/**
 * The claims that `KmsJwtGuard` verified, or one of them; `undefined` on a route that is public.
 *
 * @example
 * me(\@Claims() claims: JwtClaims, \@Claims('sub') userId: string) { … }
 */
export const Claims: (claim?: string) => ParameterDecorator = createParamDecorator(
  (claim: string | undefined, context: ExecutionContext) => {
    const claims = keptClaims(context);
    return claim === undefined ? claims : claims?.[claim];
  },
);
