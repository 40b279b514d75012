import { type CanActivate, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { JwtClaims } from 'nestjs-kms-jwt';

export const Role = (role: string) => SetMetadata('role', role);

/** Stands behind KmsJwtGuard, which has put the verified claims at `request.user`. */
@Injectable()
export class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const role = this.reflector.get<string | undefined>('role', context.getHandler());
    if (role === undefined) return true;
    const { user } = context.switchToHttp().getRequest<{ user?: JwtClaims }>();
    const roles = user?.['roles'];
    return Array.isArray(roles) && roles.includes(role);
  }
}
