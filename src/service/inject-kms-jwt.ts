import { Inject, type InjectionToken } from '@nestjs/common';
import { DEFAULT_NAME } from '../events/log.js';
import type { KmsJwtModuleOptions } from '../options/kms-jwt.options.js';
import { KmsJwtService } from './kms-jwt.service.js';

export { DEFAULT_NAME };

/**
 * The injection token of the service of one registration of the module, for `app.get`, `overrideProvider` and factories.
 *
 * @param name the `name` of the registration in `forRoot`. Default: the registration without a name
 *
 * @example
 * ```ts
 * const internal = app.get<KmsJwtService>(getKmsJwtServiceToken('internal'));
 * ```
 */
export function getKmsJwtServiceToken(name: string = DEFAULT_NAME): InjectionToken<KmsJwtService> {
  return name === DEFAULT_NAME ? KmsJwtService : `KmsJwtService:${name}`;
}

/**
 * The injection token of the options of one registration, as passed to `forRoot` or returned from the factory of `forRootAsync`, for
 * `overrideProvider` in tests. With an override, that factory is not called.
 *
 * @param name the `name` of the registration in `forRoot`. Default: the registration without a name
 *
 * @example
 * ```ts
 * // The app's own options, with a key in LocalKms.
 * Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(getKmsJwtOptionsToken())
 *   .useValue({ ...kmsJwtOptions, client: new LocalKms({ keys: [{ alias: 'auth' }] }).client() });
 * ```
 */
export function getKmsJwtOptionsToken(name: string = DEFAULT_NAME): InjectionToken<KmsJwtModuleOptions> {
  return name === DEFAULT_NAME ? 'KMS_JWT_MODULE_OPTIONS' : `KMS_JWT_MODULE_OPTIONS:${name}`;
}

/**
 * Injects the service of the registration with this name; without a name, the service that is injected for the type
 * `KmsJwtService` without this decorator.
 *
 * @param name the `name` of the registration in `forRoot`. Default: the registration without a name
 *
 * @example
 * ```ts
 * @Injectable()
 * export class InternalTokens {
 *   constructor(@InjectKmsJwt('internal') private readonly jwt: KmsJwtService) {}
 * }
 * ```
 */
export function InjectKmsJwt(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getKmsJwtServiceToken(name));
}
