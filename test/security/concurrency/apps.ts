import { type DynamicModule, type INestApplication, Module, type Provider, type Type } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  fromAuthHeader,
  fromHeader,
  getKmsJwtServiceToken,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  type TokenExtractor,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { isRevoked, signTokens } from './tokens.js';
import type { Callers } from './transport.js';

export const INTERNAL = 'internal';
/** The guard of the second instance. */
export const InternalGuard = KmsJwtGuard.named(INTERNAL);

/** Shared by all apps, so that a token is valid in each of them. */
const client = new LocalKms({ keys: [{ alias: 'auth' }, { alias: INTERNAL }] }).client();

export interface Parts {
  imports?: DynamicModule[];
  controllers?: Type[];
  providers?: Provider[];
  adapter?: AbstractHttpAdapter;
  /** The extractors of the two instances, if the tokens are not in headers. */
  tokenFrom?: TokenExtractor;
  internalFrom?: TokenExtractor;
  prepare?: (app: INestApplication) => unknown;
}

/** The modules of both instances. */
function instances({ tokenFrom = fromAuthHeader(), internalFrom = fromHeader('x-internal') }: Parts) {
  return [
    KmsJwtModule.forRoot({ ...optionsFor('alias/auth', tokenFrom), isGlobal: true }),
    KmsJwtModule.forRoot({
      ...optionsFor(`alias/${INTERNAL}`, internalFrom),
      isGlobal: true,
      name: INTERNAL,
    }),
  ];
}

function optionsFor(keyId: string, tokenFrom: TokenExtractor): KmsJwtModuleOptions {
  return {
    keyId,
    client,
    isRevoked,
    guard: { tokenFrom, recheckInterval: '1s' },
    // A busy machine must not count as an outage.
    limits: { timeout: 30_000 },
  };
}

/** Starts an app on a free port. */
export async function startApp(parts: Parts): Promise<{ app: INestApplication; url: string }> {
  @Module({
    imports: [...instances(parts), ...(parts.imports ?? [])],
    controllers: parts.controllers ?? [],
    providers: [KmsJwtGuard, ...(parts.providers ?? [])],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, parts.adapter ?? new ExpressAdapter(), { logger: false });
  await parts.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  // An idle connection must not be closed right before its next burst.
  (app.getHttpServer() as { keepAliveTimeout: number }).keepAliveTimeout = 0;
  return { app, url: await app.getUrl() };
}

/** Signs the tokens of users, and of the services, for which the second registration signs. */
export async function signCallers(): Promise<Callers> {
  @Module({ imports: instances({}) })
  class SignerModule {}
  const app = await NestFactory.createApplicationContext(SignerModule, { logger: false });
  const users = await signTokens(app.get(KmsJwtService, { strict: false }), 'user');
  const internal = app.get<KmsJwtService>(getKmsJwtServiceToken(INTERNAL), { strict: false });
  const services = await signTokens(internal, 'service');
  await app.close();
  return { users, services };
}
