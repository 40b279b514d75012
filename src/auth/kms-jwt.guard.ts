import { type CanActivate, type ExecutionContext, Inject, Injectable, type Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { KmsJwtError, TokenMissingError } from '../errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import type { KmsJwtService } from '../kms-jwt.service.js';
import { InjectKmsJwt } from '../kms-jwt.tokens.js';
import { IS_PUBLIC } from './decorators.js';
import { fromAuthHeader } from './token-extractors.js';
import { keepClaims, transportOf } from './transports.js';

/**
 * Lets a request pass that carries a valid token in `Authorization: Bearer …`, and keeps its claims for `@Claims()` and
 * at `request.user`. Others are refused: 401 with the challenge of RFC 6750 for a token that is missing or bad, 503 with
 * Retry-After while KMS cannot be asked.
 *
 * @example
 * \@UseGuards(KmsJwtGuard) \@Get('me') me(\@Claims() claims: JwtClaims) { return claims; }
 *
 * @example
 * providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }]
 */
@Injectable()
export class KmsJwtGuard implements CanActivate {
  constructor(
    @InjectKmsJwt() protected readonly jwt: KmsJwtService,
    @Inject(Reflector) protected readonly reflector: Reflector,
  ) {}

  /**
   * A guard of the same kind, for the instance of that name.
   *
   * @example
   * \@UseGuards(KmsJwtGuard.named('internal'))
   */
  static named(name: string): Type<KmsJwtGuard> {
    @Injectable()
    class NamedKmsJwtGuard extends KmsJwtGuard {
      constructor(@InjectKmsJwt(name) jwt: KmsJwtService, @Inject(Reflector) reflector: Reflector) {
        super(jwt, reflector);
      }
    }
    return NamedKmsJwtGuard;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.isPublic(context)) return true;
    try {
      keepClaims(context, await this.authenticate(context));
      return true;
    } catch (error) {
      throw error instanceof KmsJwtError ? transportOf(context).refuse(error, context) : error;
    }
  }

  private isPublic(context: ExecutionContext): boolean {
    return (
      this.reflector.getAllAndOverride<boolean>(IS_PUBLIC, [context.getHandler(), context.getClass()]) ??
      false
    );
  }

  private async authenticate(context: ExecutionContext): Promise<JwtClaims> {
    const token = tokenFrom(transportOf(context).carrierOf(context));
    if (!token) throw new TokenMissingError();
    return this.jwt.verify(token);
  }
}

const tokenFrom = fromAuthHeader();
