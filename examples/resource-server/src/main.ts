import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { issuers, JWKS_URI } from './issuers.js';

const PORT = process.env['PORT'] ?? '3001';
const HIGHEST_PORT = 65_535;

async function bootstrap(): Promise<void> {
  if (!/^\d{1,5}$/.test(PORT) || Number(PORT) > HIGHEST_PORT)
    throw new Error(`PORT must be 0 to ${HIGHEST_PORT}`);
  // Logs are buffered until the app has started, so that a failed start prints a single line.
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    abortOnError: false,
    bufferLogs: true,
    autoFlushLogs: false,
  });
  endWith(app, 'SIGINT');
  endWith(app, 'SIGTERM');
  await app.listen(PORT, '127.0.0.1');
  app.flushLogs();

  const url = await app.getUrl();
  const logger = new Logger('resource-server');
  logger.log(`Listening on ${url}`);
  logger.log(`Verifying with the key set ${JWKS_URI}`);
  for (const { issuer } of issuers ?? []) logger.log(`Verifying tokens of ${issuer}, too`);
  logger.log(`Try: curl -s ${url}/orders -H 'authorization: Bearer <access_token>'`);
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
  process.stderr.write(`resource-server: ${explain(error)}\n`);
  process.exit(1);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' ? `port ${PORT} is in use: set PORT to another` : error.message;
}

try {
  await bootstrap();
} catch (error) {
  fail(error);
}
