import { fileURLToPath } from 'node:url';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions, Transport } from '@nestjs/microservices';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { KmsJwtService } from 'nestjs-kms-jwt';
import { AppModule } from './app.module.js';

const PORT = process.env['PORT'] ?? '3000';
const GRPC_PORT = process.env['GRPC_PORT'] ?? '50051';
const HIGHEST_PORT = 65_535;

async function bootstrap(): Promise<void> {
  checkPort('PORT', PORT);
  checkPort('GRPC_PORT', GRPC_PORT);
  // Logs are buffered until the app has started, so that a failed start prints a single line.
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    abortOnError: false,
    bufferLogs: true,
    autoFlushLogs: false,
  });
  endWith(app, 'SIGINT');
  endWith(app, 'SIGTERM');
  app.connectMicroservice<MicroserviceOptions>({
    transport: Transport.GRPC,
    options: {
      package: 'profile',
      protoPath: fileURLToPath(new URL('profile.proto', import.meta.url)),
      url: `127.0.0.1:${GRPC_PORT}`,
    },
  });
  await app.listen(PORT, '127.0.0.1');
  await app.startAllMicroservices();
  app.flushLogs();

  const url = await app.getUrl();
  const { keys } = await app.get(KmsJwtService).jwks();
  const logger = new Logger('token-service');
  logger.log(`Listening on ${url}`);
  logger.log(`Signing ES256 with the key ${keys.map(({ kid }) => kid).join(', ')}`);
  logger.log(
    `Try: curl -s ${url}/auth/login -H 'content-type: application/json' -d '{"username":"ada","password":"lovelace"}'`,
  );
  logger.log(`GraphQL at ${url}/graphql, socket.io at ${url}, gRPC at 127.0.0.1:${GRPC_PORT}`);
  logger.log(`Then: curl -s ${url}/me -H 'authorization: Bearer <access_token>'`);
}

function checkPort(name: string, port: string): void {
  if (/^\d{1,5}$/.test(port) && Number(port) <= HIGHEST_PORT) return;
  throw new Error(`${name} must be 0 to ${HIGHEST_PORT}`);
}

// Not Nest's shutdown hooks: they stop listening for signals before the process ends, and under npm Ctrl-C arrives twice.
function endWith(app: NestExpressApplication, signal: NodeJS.Signals): void {
  process.on(signal, () => {
    app.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  });
}

function fail(error: unknown): never {
  process.stderr.write(`token-service: ${explain(error)}\n`);
  process.exit(1);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (error.message.includes('EADDRINUSE') && code === undefined) {
    return `port ${GRPC_PORT} is in use: set GRPC_PORT to another`;
  }
  return code === 'EADDRINUSE' ? `port ${PORT} is in use: set PORT to another` : error.message;
}

try {
  await bootstrap();
} catch (error) {
  fail(error);
}
