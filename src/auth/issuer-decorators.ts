import { createParamDecorator, type CustomDecorator, type ExecutionContext } from '@nestjs/common';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { VerifyWith } from './decorators.js';
import { verifiedFor } from './request-claims.js';

/**
 * Accepts only tokens of these issuers, on a route or a controller. The names are those in the module's `issuers`; `'own'` is for
 * tokens of the module's own keys. The same as `@VerifyWith({ issuers })`. Other tokens are refused with a `TokenClaimError`: 401.
 *
 * An unknown name stops the app at start with a `KmsJwtOptionsError`, which lists the known ones. If `issuers` is a function, the
 * names are not known at start: with a wrong name, the route refuses every token with 401.
 *
 * @param names at least one name
 * @throws KmsJwtOptionsError at once if no name is given
 *
 * @example
 * ```ts
 * @Controller()
 * export class PayrollController {
 *   @Issuers('corp')
 *   @Get('payroll')
 *   payroll(@Claims('sub') employee: string) {
 *     return this.payslips.of(employee);
 *   }
 * }
 * ```
 */
export function Issuers(...names: [string, ...string[]]): CustomDecorator {
  if (names.length === 0) throw new KmsJwtOptionsError('Issuers', 'needs at least one name');
  return VerifyWith({ issuers: names });
}

/**
 * The name of the issuer of the token that `KmsJwtGuard` verified, as in the module's `issuers`; `'own'` for the module's own keys;
 * `undefined` when the route allowed a request without a token, and for a token that an overridden `authenticate` accepted by
 * itself, such as an API key.
 *
 * @example
 * ```ts
 * @Controller()
 * export class ProfileController {
 *   @Get('me')
 *   me(@TokenIssuer() issuer: string, @Claims() claims: JwtClaims) {
 *     return { issuer, sub: claims.sub };
 *   }
 * }
 * ```
 */
export function TokenIssuer(): ParameterDecorator {
  return readIssuer();
}

const readIssuer = createParamDecorator((_: unknown, context: ExecutionContext) => {
  return verifiedFor(context)?.issuerName;
});
