import { createRequire } from 'node:module';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { type DynamicModule, type INestApplication, type Type, Module, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { KmsJwtGuard, KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { onTestFinished } from 'vitest';

interface Parts {
  providers: Provider[];
  imports?: DynamicModule[];
  options?: Partial<KmsJwtModuleOptions>;
  /** Options of the second registration. */
  internal?: Partial<KmsJwtModuleOptions>;
  controllers?: Type[];
  newAdapter?: (app: object) => IoAdapter | WsAdapter;
  prepare?: (app: INestApplication) => Promise<void>;
}

const { version } = createRequire(import.meta.url)('@nestjs/core/package.json') as { version: string };
export const NEST = Number(version.split('.')[0]);

export async function start({
  providers,
  controllers = [],
  imports = [],
  options,
  internal,
  newAdapter,
  prepare,
}: Parts) {
  const client = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'internal' }] }).client();
  @Module({
    imports: [
      KmsJwtModule.forRoot({ keyId: 'alias/auth', client, ...options }),
      KmsJwtModule.forRoot({ keyId: 'alias/internal', client, name: 'internal', ...internal }),
      ...imports,
    ],
    controllers,
    providers: [KmsJwtGuard, ...providers],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false });
  onTestFinished(() => app.close());
  if (newAdapter) app.useWebSocketAdapter(newAdapter(app));
  await prepare?.(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl(), jwt: app.get(KmsJwtService, { strict: false }) };
}

export const graphqlModule = (
  subscriptions: ApolloDriverConfig['subscriptions'] = { 'graphql-ws': true },
  context?: unknown,
) =>
  GraphQLModule.forRoot<ApolloDriverConfig>({
    driver: ApolloDriver,
    autoSchemaFile: true,
    subscriptions,
    ...(context !== undefined && { context }),
  });

export async function ask(url: string, query: string, token?: string) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as { data: Record<string, string | null>; errors?: object[] };
}
