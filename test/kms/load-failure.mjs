// Starts a service with a key in KMS, in a process in which one package cannot be resolved, and prints the error.
import Module, { createRequire, register } from 'node:module';

const [missing, library] = process.argv.slice(2);
const elsewhere = '/no-such-folder/main.js';

const hooks = `export function resolve(specifier, context, next) {
  if (specifier !== ${JSON.stringify(missing)}) return next(specifier, context);
  return next(specifier, { ...context, parentURL: 'file://${elsewhere}' });
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const require = Reflect.get(Module.prototype, 'require');
Module.prototype.require = function requireOrFail(id) {
  return id === missing ? createRequire(elsewhere).resolve(id) : Reflect.apply(require, this, [id]);
};

// If an ES module loaded by `import()` imports a CommonJS module that throws, Node 20 rejects the import and, in addition,
// reports the same error as uncaught. Node 22 only rejects.
process.on('uncaughtException', () => {});

await import('reflect-metadata');
const { NestFactory } = await import('@nestjs/core');
const { KmsJwtModule } = await import(library);

const module = KmsJwtModule.forRoot({ keyId: 'alias/auth' });
const options = { logger: false, abortOnError: false };
const error = await NestFactory.createApplicationContext(module, options).catch((reason) => reason);
const { name, code, message, cause } = error;
const properties = Object.getOwnPropertyNames(cause).filter((property) => property !== 'stack');
console.log(JSON.stringify({ name, code, message, cause: { properties, code: cause.code } }));
