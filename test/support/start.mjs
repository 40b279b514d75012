// Starts an app with a LocalKms. The argument sets the fault of the LocalKms, the module options and Nest's abortOnError.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { KmsJwtModule } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';

const { fault, options, abortOnError } = JSON.parse(process.argv[2]);
const localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'rsa', keySpec: 'RSA_2048' }] });
if (fault) localKms.inject(fault);
const client = localKms.client({ maxAttempts: 1 });

async function bootstrap() {
  const key = options?.jwksUri ? {} : { keyId: 'alias/auth', client };
  const module = KmsJwtModule.forRoot({ ...key, ...options });
  const app = await NestFactory.create(module, abortOnError === undefined ? {} : { abortOnError });
  await app.listen(0, '127.0.0.1');
  await app.close();
}

if (abortOnError === false) bootstrap().catch(({ name }) => console.log(`bootstrap rejected: ${name}`));
else await bootstrap();
