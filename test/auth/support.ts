import {
  type DynamicModule,
  type INestApplication,
  type LoggerService,
  Module,
  type NestApplicationOptions,
  type Provider,
  type Type,
} from '@nestjs/common';
import { type AbstractHttpAdapter, APP_GUARD, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  fromHeader,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { onTestFinished as onAnyTestFinished, type TestContext } from 'vitest';

export interface TestApp {
  app: INestApplication;
  jwt: KmsJwtService;
  url: string;
  localKms: LocalKms;
  get: (path: string, headers?: Record<string, string>) => Promise<Response>;
}

export interface AppParts {
  imports?: DynamicModule[];
  controllers?: Type[];
  providers?: Provider[];
  options?: Partial<KmsJwtModuleOptions>;
  adapter?: AbstractHttpAdapter;
  /** Default: none. */
  logger?: LoggerService;
  /** What has to happen before the app listens, such as a cookie parser. */
  prepare?: (app: INestApplication) => unknown;
  /** The hook of the test context, for concurrent tests: Vitest's global hook cannot tell them apart. */
  onTestFinished?: TestContext['onTestFinished'];
}

/** Starts an app on a free port, until the end of the test. */
export async function startApp(parts: AppParts): Promise<TestApp> {
  const { imports = [], controllers = [], providers = [], options, adapter, logger, prepare } = parts;
  const { onTestFinished = onAnyTestFinished } = parts;
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client({ maxAttempts: 1 });
  @Module({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client, isGlobal: true, ...options }), ...imports],
    controllers,
    providers,
  })
  class AppModule {}
  const nestOptions: NestApplicationOptions = { logger: logger ?? false };
  const app = await NestFactory.create(AppModule, adapter ?? new ExpressAdapter(), nestOptions);
  onTestFinished(() => app.close());
  await prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    jwt: app.get(KmsJwtService, { strict: false }),
    url,
    localKms,
    get: (path, headers = {}) => fetch(url + path, { headers }),
  };
}

/** Starts an app with the guard on all its routes; the returned function gives the status and the body of a path. */
export async function startGuardedApp(
  controller: Type,
  options?: Partial<KmsJwtModuleOptions>,
  appGuard: Type = KmsJwtGuard,
) {
  const { jwt, get } = await startApp({
    controllers: [controller],
    providers: [{ provide: APP_GUARD, useClass: appGuard }],
    ...(options && { options }),
  });
  return async (path: string, claims?: object | string) => {
    const token = typeof claims === 'object' ? await jwt.sign(claims) : claims;
    const response = await get(path, token === undefined ? {} : bearer(token));
    return [response.status, await response.json()] as const;
  };
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

/** A second registration, named `internal`, whose tokens are in the header `X-Internal`. */
export function internalModule(): DynamicModule {
  return KmsJwtModule.forRoot({
    name: 'internal',
    isGlobal: true,
    keyId: 'alias/internal',
    client: new LocalKms({ keys: [{ alias: 'internal' }] }).client(),
    guard: { tokenFrom: fromHeader('x-internal') },
  });
}
