import { Module } from '@nestjs/common';
import { KmsJwtModule } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { AuthController } from './auth.controller';

const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });

@Module({
  imports: [
    KmsJwtModule.forRoot({
      keyId: 'alias/auth',
      client: localKms.client(),
      signOptions: { issuer: 'https://auth.example.com', audience: 'my-app' },
    }),
  ],
  controllers: [AuthController],
})
export class AppModule {}
