import { Controller, Get, Post, UseGuards } from '@nestjs/common';
import type { JwtClaims } from 'nestjs-kms-jwt';
import { Claims, KmsJwtGuard, KmsJwtService, Public } from 'nestjs-kms-jwt';

@Controller('auth')
@UseGuards(KmsJwtGuard)
export class AuthController {
  constructor(private readonly jwt: KmsJwtService) {}

  @Public()
  @Post('login')
  async login() {
    return { accessToken: await this.jwt.sign({ sub: 'user-42' }, { expiresIn: '15m' }) };
  }

  @Get('me')
  me(@Claims() claims: JwtClaims) {
    return claims;
  }
}
