import { Body, Controller, HttpCode, Post, UnauthorizedException } from '@nestjs/common';
import { KmsJwtService, Public } from 'nestjs-kms-jwt';

interface Credentials {
  username?: unknown;
  password?: unknown;
}

// For demonstration only. An application has a user store, with hashes of passwords.
const USERS = [
  { username: 'ada', password: 'lovelace', roles: ['user', 'admin'] },
  { username: 'bob', password: 'builder', roles: ['user'] },
];

@Controller('auth')
export class AuthController {
  constructor(private readonly jwt: KmsJwtService) {}

  @Public()
  @Post('login')
  @HttpCode(200)
  async login(@Body() credentials: Credentials = {}) {
    const user = USERS.find(
      ({ username, password }) => username === credentials.username && password === credentials.password,
    );
    if (!user) throw new UnauthorizedException('Wrong user name or password');
    return {
      access_token: await this.jwt.sign({ sub: user.username, roles: user.roles }),
      token_type: 'Bearer',
    };
  }
}
