import { type CanActivate, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { claimsOf } from 'nestjs-kms-jwt';

export const Role = (role: string) => SetMetadata('role', role);

/** Runs after KmsJwtGuard, on any transport: `claimsOf` has the claims that it verified for this call. */
@Injectable()
export class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const role = this.reflector.get<string | undefined>('role', context.getHandler());
    if (role === undefined) return true;
    const roles = claimsOf(context)?.['roles'];
    return Array.isArray(roles) && roles.includes(role);
  }
}
