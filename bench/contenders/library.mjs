// This library as an app uses it: the service of the Nest module.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { AUDIENCE, ISSUER } from '../tokens.mjs';

export const LIBRARY = 'nestjs-kms-jwt';

/**
 * @param {import('nestjs-kms-jwt').KmsJwtModuleOptions} options
 * @returns the service, and a function that closes it
 */
export async function startLibrary(options) {
  const module = KmsJwtModule.forRoot({
    verifyOptions: { issuer: ISSUER, audience: AUDIENCE },
    ...options,
  });
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  return { jwt: app.get(KmsJwtService), close: () => app.close() };
}
