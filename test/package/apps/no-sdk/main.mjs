import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';

const { KmsJwtModule, KmsJwtOptionsError } = await import(process.argv[2]);
console.log('imported');
try {
  const module = KmsJwtModule.forRoot({ keyId: 'alias/auth' });
  await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
} catch (error) {
  console.log(error instanceof KmsJwtOptionsError ? `KmsJwtOptionsError: ${error.message}` : error);
}
