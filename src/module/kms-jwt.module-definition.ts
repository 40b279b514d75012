import { ConfigurableModuleBuilder, type Provider } from '@nestjs/common';
import { KmsJwtGuard } from '../auth/kms-jwt.guard.js';
import type { KmsJwtModuleOptions } from '../options/kms-jwt.options.js';
import type { KmsJwtModuleExtras } from '../options/module-extras.js';
import { jwksRoutesProvider, serviceProviders } from './kms-jwt.providers.js';
import { startupReportProvider } from './startup-report.js';
import { DEFAULT_NAME, getKmsJwtOptionsToken, getKmsJwtServiceToken } from '../service/inject-kms-jwt.js';

export const REGISTRATION_NAME = 'KMS_JWT_REGISTRATION_NAME';
const OPTIONS = getKmsJwtOptionsToken();

export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<KmsJwtModuleOptions>({ optionsInjectionToken: String(OPTIONS) })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createKmsJwtOptions')
    .setExtras<KmsJwtModuleExtras>(
      { isGlobal: false, name: DEFAULT_NAME, jwksPath: undefined, discovery: false },
      (definition, extras) => {
        const { isGlobal = false, name = DEFAULT_NAME, jwksPath, discovery = false } = extras;
        // For gateways to inject. The guard of a named registration is provided by the app.
        const guards = name === DEFAULT_NAME ? [KmsJwtGuard] : [];
        return {
          ...definition,
          global: isGlobal,
          providers: [
            ...(definition.providers ?? []).map((provider) => renameOptions(provider, name)),
            { provide: REGISTRATION_NAME, useValue: name },
            ...serviceProviders(name),
            startupReportProvider(name, jwksPath),
            ...guards,
            ...(jwksPath ? [jwksRoutesProvider(name, { jwksPath, discovery })] : []),
          ],
          exports: [getKmsJwtServiceToken(name), ...guards],
        };
      },
    )
    .build();

/** Nest's builder has one token for the options of all registrations: a test could not override those of one. */
function renameOptions(provider: Provider, name: string): Provider {
  const isOptions = typeof provider === 'object' && provider.provide === OPTIONS;
  return isOptions ? { ...provider, provide: getKmsJwtOptionsToken(name) } : provider;
}
