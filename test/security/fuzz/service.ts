import { NestFactory } from '@nestjs/core';
import { KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';

export interface Service {
  jwt: KmsJwtService;
  close: () => Promise<void>;
}

/** A service of this library in a separate app without logs. */
export async function startService(options: KmsJwtModuleOptions): Promise<Service> {
  const app = await NestFactory.createApplicationContext(KmsJwtModule.forRoot(options), {
    logger: false,
    abortOnError: false,
  });
  return { jwt: app.get(KmsJwtService, { strict: false }), close: () => app.close() };
}
