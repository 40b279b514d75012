import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { KmsJwtGuard, KmsJwtModule } from 'nestjs-kms-jwt';
import { issuers, JWKS_URI } from './issuers.js';
import { OrdersController } from './orders.controller.js';

@Module({
  imports: [
    KmsJwtModule.forRoot({
      jwksUri: JWKS_URI,
      verifyOptions: { issuer: 'token-service', audience: 'resource-server' },
      issuers,
    }),
  ],
  controllers: [OrdersController],
  providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }],
})
export class AppModule {}
