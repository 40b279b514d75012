import { Controller, Get, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Claims, type JwtClaims, KmsJwtGuard, KmsJwtModule, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { KmsJwtHealthIndicator } from 'nestjs-kms-jwt/terminus';

const options: KmsJwtModuleOptions = {
  jwksUri: 'https://auth.example.com/.well-known/jwks.json',
  verifyOptions: { issuer: 'https://auth.example.com', audience: 'orders' },
};
// @ts-expect-error undefined must not disable a check
export const unchecked: KmsJwtModuleOptions = { ...options, verifyOptions: undefined };

@Controller('orders')
export class OrdersController {
  @Get()
  list(@Claims() claims: JwtClaims) {
    return { of: claims.sub };
  }
}

@Module({
  imports: [KmsJwtModule.forRoot(options)],
  controllers: [OrdersController],
  providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }, KmsJwtHealthIndicator],
})
export class OrdersModule {}
