import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { KmsJwtGuard, KmsJwtModule } from 'nestjs-kms-jwt';
import { OrdersController } from './orders.controller.js';

/** Where examples/token-service publishes its keys, unless told otherwise. */
export const JWKS_URI = process.env['JWKS_URI'] || 'http://127.0.0.1:3000/.well-known/jwks.json';

@Module({
  imports: [
    KmsJwtModule.forRoot({
      jwksUri: JWKS_URI,
      verifyOptions: { issuer: 'token-service', audience: 'resource-server' },
    }),
  ],
  controllers: [OrdersController],
  providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }],
})
export class AppModule {}
