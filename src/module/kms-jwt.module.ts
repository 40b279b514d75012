import { type DynamicModule, Inject, Module, type NestModule, Optional } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { JWKS_ROUTES, type JwksRoutes } from '../jwks/jwks.routes.js';
import {
  type ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  INSTANCE_NAME,
  type OPTIONS_TYPE,
} from './kms-jwt.module-definition.js';
import { checkModuleExtras } from '../options/read-options.js';

/**
 * Gives an app a `KmsJwtService` whose key lives in AWS KMS.
 *
 * At start the options are checked and the public key is fetched: a `KmsJwtOptionsError`, `KmsKeyError`,
 * `KmsAccessDeniedError` or `KmsUnavailableError` then stops the app (with `lazy: true`, the fetch waits for the first
 * use).
 *
 * @example
 * \@Module({ imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', signOptions: { expiresIn: '15m' } })] })
 * export class AppModule {}
 */
@Module({})
export class KmsJwtModule extends ConfigurableModuleClass implements NestModule {
  constructor(
    @Inject(INSTANCE_NAME) name: string,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Optional() @Inject(JWKS_ROUTES) private readonly routes?: JwksRoutes,
  ) {
    super();
    const sameName = [...modules.values()].filter(
      ({ metatype, providers }) =>
        metatype === KmsJwtModule && providers.get(INSTANCE_NAME)?.instance === name,
    );
    if (sameName.length > 1) {
      const remedy = 'import one module in both places, set isGlobal, or give each its own name';
      throw new KmsJwtOptionsError(
        'name',
        `must be unique, but ${sameName.length} instances are '${name}': ${remedy}`,
      );
    }
  }

  /** @internal Nest asks for middleware before it mounts the app's routes: one that catches all must not be in the way. */
  configure(): void {
    this.routes?.mount();
  }

  /**
   * @throws KmsJwtOptionsError for a wrong `name` or `isGlobal`; what else is wrong is told at start
   *
   * @example
   * KmsJwtModule.forRoot({ keyId: 'alias/auth', isGlobal: true })
   */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    checkModuleExtras(options);
    return super.forRoot(options);
  }

  /**
   * @throws KmsJwtOptionsError without one of `useFactory`, `useClass` and `useExisting`, and for members that are
   * unknown; what is wrong with the options themselves is told at start
   *
   * @example
   * KmsJwtModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ keyId: config.getOrThrow('KMS_KEY_ID') }),
   * })
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
  'isGlobal',
  'name',
  'jwksPath',
  'discovery',
]);

function checkAsyncOptions(options: typeof ASYNC_OPTIONS_TYPE): void {
  const unknown = Object.keys(options).find((member) => !ASYNC_MEMBERS.has(member));
  if (unknown)
    throw new KmsJwtOptionsError(unknown, 'is unknown to forRootAsync: return it from the factory');
  const sources = [options.useFactory, options.useClass, options.useExisting].filter(Boolean);
  if (sources.length !== 1) {
    throw new KmsJwtOptionsError(
      'useFactory',
      'or useClass or useExisting must be given to forRootAsync: one of them',
    );
  }
  if (options.useFactory && typeof options.useFactory !== 'function') {
    throw new KmsJwtOptionsError('useFactory', 'must be a function');
  }
}
