// A service that only verifies, in a process in which no package of the AWS SDK can be resolved.
import { register } from 'node:module';

const hooks = `export async function resolve(specifier, context, next) {
  if (!/^@(aws-sdk|smithy)\\//.test(specifier)) return next(specifier, context);
  throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const [jwksUri, token] = process.argv.slice(2);
await import('reflect-metadata');
const { NestFactory } = await import('@nestjs/core');
const { KmsJwtModule, KmsJwtService } = await import('nestjs-kms-jwt');

const module = KmsJwtModule.forRoot({ jwksUri });
const app = await NestFactory.createApplicationContext(module, { logger: false });
const { sub } = await app.get(KmsJwtService).verify(token);
const sdk = await import('@aws-sdk/client-kms').catch((error) => error);
console.log(`verified ${sub}; @aws-sdk/client-kms: ${sdk.code}`);
await app.close();
