import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Controller,
  type DynamicModule,
  Get,
  Module,
  type Provider,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { getKmsJwtServiceToken, type GuardOptions, KmsJwtGuard, KmsJwtModule } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, onTestFinished } from 'vitest';

export interface Parts {
  /** Functions, because each test has its own registration and guard, so that no two tests share a log. */
  controllers?: (guard: Type<KmsJwtGuard>) => Type[];
  providers?: (guard: Type<KmsJwtGuard>) => Provider[];
  imports?: DynamicModule[];
  guard?: GuardOptions;
  kind?: 'http' | 'context';
}

let registrations = 0;

/** @returns the lines that the registration logs while the app starts, with their level */
export async function startAndRead({
  controllers,
  providers,
  imports = [],
  guard = {},
  kind = 'http',
}: Parts) {
  const name = `registration-${(registrations += 1)}`;
  const lines: [level: string, line: string][] = [];
  const into =
    (level: string) =>
    (line: unknown, ...rest: unknown[]) =>
      void (rest.at(-1) === `KmsJwt:${name}` && lines.push([level, String(line)]));
  const Guard = KmsJwtGuard.named(name);
  const kmsJwt = KmsJwtModule.forRoot({
    name,
    isGlobal: true,
    keyId: 'alias/auth',
    client: new LocalKms({ keys: [{ alias: 'auth' }] }).client(),
    signOptions: { issuer: 'https://auth.example.com' },
    guard,
  });
  @Module({
    imports: [kmsJwt, ...imports],
    controllers: controllers?.(Guard) ?? [],
    providers: providers?.(Guard) ?? [],
  })
  class AppModule {}
  const logger = { log: into('log'), warn: into('warn'), error: into('error') };
  const app =
    kind === 'http'
      ? await NestFactory.create(AppModule, { logger })
      : await NestFactory.createApplicationContext(AppModule, { logger });
  onTestFinished(() => app.close());
  await app.init();
  await app.resolve(getKmsJwtServiceToken(name), undefined, { strict: false });
  return lines.filter(([, line]) => !/^(?:The key |Signing with )/.test(line));
}

export const uncovered = (what: string) =>
  [
    'warn',
    expect.stringMatching(new RegExp(`^No KmsJwtGuard covers ${what}:.*@UseGuards.*@Public`)),
  ] as const;

export const graphql = (config: Partial<ApolloDriverConfig> = {}) =>
  GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true, ...config });

export const appGuard = (guard: Type<KmsJwtGuard>) => ({ provide: APP_GUARD, useClass: guard });

export const guardedBy = (guard: Type<KmsJwtGuard>) => {
  @Controller('guarded')
  @UseGuards(guard)
  class GuardedController {
    @Get() read() {
      return {};
    }
  }
  @Controller('mixed')
  class MixedController {
    @UseGuards(guard) @Get() guarded() {
      return {};
    }
    @Get('unguarded') unguarded() {
      return {};
    }
  }
  class DerivedController extends MixedController {}
  Controller('derived')(DerivedController);
  return { GuardedController, MixedController, DerivedController };
};
