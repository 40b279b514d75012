import { NestFactory } from '@nestjs/core';
import { KmsJwtService } from 'nestjs-kms-jwt';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
await app.listen(process.env.PORT ?? 3000);

const jwt = app.get(KmsJwtService);
const token = await jwt.sign({ sub: 'user-42' }, { expiresIn: '15m' });
const error: unknown = await jwt
  .verify(token, { clockTimestamp: 2 ** 32 })
  .catch((thrown: unknown) => thrown);
console.log(`Refused: ${(error as Error).name}`);
console.log(await app.getUrl());
