import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { KmsJwtExceptionFilter, KmsJwtGuard, KmsJwtModule } from 'nestjs-kms-jwt';
import { AuthController } from './auth.controller.js';
import { kmsOptions } from './kms-options.js';
import { ProfileController } from './profile.controller.js';
import { ProfileGateway } from './profile.gateway.js';
import { ProfileGrpcController } from './profile.grpc.controller.js';
import { ProfileResolver } from './profile.resolver.js';
import { RolesGuard } from './roles.guard.js';

@Module({
  imports: [
    KmsJwtModule.forRootAsync({
      jwksPath: '.well-known/jwks.json',
      useFactory: () => ({
        ...kmsOptions(process.env),
        signOptions: {
          issuer: 'token-service',
          audience: ['token-service', 'resource-server'],
          expiresIn: '15m',
        },
      }),
    }),
    GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true }),
  ],
  controllers: [AuthController, ProfileController, ProfileGrpcController],
  providers: [
    ProfileGateway,
    ProfileResolver,
    { provide: APP_GUARD, useExisting: KmsJwtGuard },
    { provide: APP_GUARD, useClass: RolesGuard },
    { provide: APP_FILTER, useClass: KmsJwtExceptionFilter },
  ],
})
export class AppModule {}
