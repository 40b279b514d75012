import { ConfigurableModuleBuilder } from '@nestjs/common';
import { KmsJwtGuard } from '../auth/kms-jwt.guard.js';
import type { KmsJwtModuleOptions } from '../options/kms-jwt.options.js';
import { jwksRoutesProvider, serviceProvider } from './kms-jwt.providers.js';
import { DEFAULT_NAME, getKmsJwtToken } from '../service/inject-kms-jwt.js';

/** What must be known of an instance without awaiting a factory. */
export interface KmsJwtModuleExtras {
  /** Whether every module may inject the service without importing this one. Default: false. */
  isGlobal?: boolean;
  /** The name of this instance, for apps with several: see `InjectKmsJwt`. Default: the instance without a name. */
  name?: string;
  /**
   * Where the key set is served over HTTP, such as `'.well-known/jwks.json'`: from the root, past a global prefix and a
   * global guard, for everybody to read and to keep for 300 seconds. Default: nowhere.
   */
  jwksPath?: string;
  /**
   * Serves `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server` too, which say where the key
   * set is; needs `jwksPath`, and `signOptions.issuer` to be a URL. Default: false.
   */
  discovery?: boolean;
}

export const INSTANCE_NAME = 'KMS_JWT_INSTANCE_NAME';
const OPTIONS = 'KMS_JWT_MODULE_OPTIONS';

export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<KmsJwtModuleOptions>({ optionsInjectionToken: OPTIONS })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createKmsJwtOptions')
    .setExtras<KmsJwtModuleExtras>(
      { isGlobal: false, name: DEFAULT_NAME, jwksPath: undefined, discovery: false },
      (definition, extras) => {
        const { isGlobal = false, name = DEFAULT_NAME, jwksPath, discovery = false } = extras;
        // For gateways to inject; that of a named instance is the app's to provide.
        const guards = name === DEFAULT_NAME ? [KmsJwtGuard] : [];
        return {
          ...definition,
          global: isGlobal,
          providers: [
            ...(definition.providers ?? []),
            { provide: INSTANCE_NAME, useValue: name },
            serviceProvider(name, OPTIONS),
            ...guards,
            ...(jwksPath ? [jwksRoutesProvider(name, { jwksPath, discovery })] : []),
          ],
          exports: [getKmsJwtToken(name), ...guards],
        };
      },
    )
    .build();
