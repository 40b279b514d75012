import { ConfigurableModuleBuilder } from '@nestjs/common';
import { KmsJwtGuard } from '../auth/kms-jwt.guard.js';
import type { KmsJwtModuleOptions } from '../options/kms-jwt.options.js';
import type { KmsJwtModuleExtras } from '../options/module-extras.js';
import { jwksRoutesProvider, serviceProvider } from './kms-jwt.providers.js';
import { startupReportProvider } from './startup-report.js';
import { DEFAULT_NAME, getKmsJwtServiceToken } from '../service/inject-kms-jwt.js';

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
        // For gateways to inject. The guard of a named instance is provided by the app.
        const guards = name === DEFAULT_NAME ? [KmsJwtGuard] : [];
        return {
          ...definition,
          global: isGlobal,
          providers: [
            ...(definition.providers ?? []),
            { provide: INSTANCE_NAME, useValue: name },
            serviceProvider(name, OPTIONS),
            startupReportProvider(name),
            ...guards,
            ...(jwksPath ? [jwksRoutesProvider(name, { jwksPath, discovery })] : []),
          ],
          exports: [getKmsJwtServiceToken(name), ...guards],
        };
      },
    )
    .build();
