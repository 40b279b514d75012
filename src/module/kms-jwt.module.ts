import { type DynamicModule, Inject, Module, type NestModule, Optional } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { withoutStack } from '../errors/without-stack.js';
import { DEFAULT_NAME } from '../events/log.js';
import { JWKS_ROUTES, type JwksRoutes } from '../jwks/jwks.routes.js';
import {
  type ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  REGISTRATION_NAME,
  type OPTIONS_TYPE,
} from './kms-jwt.module-definition.js';
import { closest } from '../options/closest.js';
import { EXTRA_RULES } from '../options/option-rules.js';
import { checkModuleExtras } from '../options/read-options.js';

/**
 * Provides `KmsJwtService`, which signs with a key in AWS KMS.
 *
 * At start, the options are checked and the public key is fetched: a `KmsJwtOptionsError`, `KmsKeyError`,
 * `KmsAccessDeniedError`, `KmsUnavailableError` or `JwksUnavailableError` stops the app. With `lazy: true`, the key is
 * fetched at the first use instead.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', signOptions: { expiresIn: '15m' } })],
 * })
 * export class AppModule {}
 * ```
 */
@Module({})
export class KmsJwtModule extends ConfigurableModuleClass implements NestModule {
  /** @internal Created by Nest. */
  constructor(
    @Inject(REGISTRATION_NAME) name: string,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Optional() @Inject(JWKS_ROUTES) private readonly routes?: JwksRoutes,
  ) {
    super();
    const sameName = [...modules.values()].filter(
      ({ metatype, providers }) =>
        metatype === KmsJwtModule && providers.get(REGISTRATION_NAME)?.instance === name,
    );
    if (sameName.length > 1) {
      const remedy = 'import one module in both places, set isGlobal, or give each its own name';
      const shared = name === DEFAULT_NAME ? 'no name' : `the name '${name}'`;
      throw withoutStack(
        new KmsJwtOptionsError(
          'name',
          `must be unique, but ${sameName.length} registrations have ${shared}: ${remedy}`,
        ),
      );
    }
  }

  /** @internal Nest calls this before it mounts the routes of the app, so that no catch-all route comes first. */
  configure(): void {
    this.routes?.mount();
  }

  /**
   * The module with these options.
   *
   * @param options a string is short for `{ keyId: options }`
   * @throws KmsJwtOptionsError for a wrong `isGlobal`, `name`, `jwksPath` or `discovery`, and for inherited options; the others are
   * checked at start
   *
   * @example
   * ```ts
   * KmsJwtModule.forRoot('alias/auth');
   * ```
   *
   * @example
   * ```ts
   * KmsJwtModule.forRoot({ keyId: 'alias/auth', isGlobal: true });
   * ```
   */
  static override forRoot(options: string | typeof OPTIONS_TYPE): DynamicModule {
    const given = typeof options === 'string' ? { keyId: options } : options;
    checkModuleExtras(given);
    return super.forRoot(given);
  }

  /**
   * The module with options that a factory, or a class, returns at start.
   *
   * @param options the factory or the class, and the options that Nest needs beforehand, such as `isGlobal`
   * @throws KmsJwtOptionsError unless there is exactly one of `useFactory`, `useClass` and `useExisting`, and for unknown
   * members; the options that the factory returns are checked at start
   *
   * @example
   * ```ts
   * KmsJwtModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ keyId: config.getOrThrow('KMS_KEY_ID') }),
   * });
   * ```
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    checkModuleExtras(options);
    checkAsyncOptions(options);
    return super.forRootAsync(options);
  }
}

const ASYNC_MEMBERS = new Set([
  'imports',
  'inject',
  'useFactory',
  'useClass',
  'useExisting',
  'provideInjectionTokensFrom',
  ...Object.keys(EXTRA_RULES),
]);

function checkAsyncOptions(options: typeof ASYNC_OPTIONS_TYPE): void {
  const unknown = Object.keys(options).find((member) => !ASYNC_MEMBERS.has(member));
  if (unknown) {
    const meant = closest(unknown, [...ASYNC_MEMBERS]);
    const remedy = meant === undefined ? 'return it from useFactory' : `did you mean ${meant}?`;
    throw new KmsJwtOptionsError(unknown, `is not an option of forRootAsync: ${remedy}`);
  }
  const sources = [options.useFactory, options.useClass, options.useExisting].filter(Boolean);
  if (sources.length !== 1) {
    throw new KmsJwtOptionsError('forRootAsync', 'needs exactly one of useFactory, useClass and useExisting');
  }
  if (options.useFactory && typeof options.useFactory !== 'function') {
    throw new KmsJwtOptionsError('useFactory', 'must be a function');
  }
}
