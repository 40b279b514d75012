import { Controller, Get } from '@nestjs/common';
import { Claims, type JwtClaims, Public } from 'nestjs-kms-jwt';
import { Role } from './roles.guard.js';

@Controller()
export class ProfileController {
  @Public()
  @Get('health')
  health() {
    return { status: 'ok' };
  }

  @Get('me')
  me(@Claims() claims: JwtClaims) {
    return claims;
  }

  @Role('admin')
  @Get('admin')
  admin(@Claims('sub') user: string) {
    return { message: `Welcome, ${user}` };
  }
}
