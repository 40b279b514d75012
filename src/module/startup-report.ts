import type { FactoryProvider, OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { type Handler, handlersOf, gatewaysOf } from '../auth/handlers.js';
import { isRealService } from '../auth/check-service.js';
import { readsCookies } from '../auth/token-extractors.js';
import { type StartedApp, unguardedHandlers } from '../auth/unguarded-handlers.js';
import { type VerifiedHandler, verifiedHandlers } from '../auth/verified-handlers.js';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { withoutStack } from '../errors/without-stack.js';
import { printableName } from '../errors/printable.js';
import type { Log } from '../events/log.js';
import { describeRegistration } from './describe-registration.js';
import { getKmsJwtServiceToken } from '../service/inject-kms-jwt.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

const STARTUP_REPORT = 'KMS_JWT_STARTUP_REPORT';

/**
 * The provider that, when the app has started, logs what the registration uses and which handlers are unguarded, and refuses routes
 * that no token can pass.
 *
 * @param jwksPath the path of the key set over HTTP, if there is one
 */
export function startupReportProvider(
  name: string,
  jwksPath: string | undefined,
): FactoryProvider<StartupReport> {
  return {
    provide: STARTUP_REPORT,
    inject: [getKmsJwtServiceToken(name), ModulesContainer, ApplicationConfig, HttpAdapterHost],
    useFactory: (
      jwt: KmsJwtService,
      modules: ModulesContainer,
      config: ApplicationConfig,
      { httpAdapter }: HttpAdapterHost,
    ) => {
      const app = { modules, config, hasHttp: Boolean(httpAdapter) };
      return new StartupReport(name, jwt, app, app.hasHttp ? jwksPath : undefined, jwt.log);
    },
  };
}

/** The apps whose handlers are reported: one report for all registrations of an app. */
const reported = new WeakSet<ModulesContainer>();

class StartupReport implements OnApplicationBootstrap {
  constructor(
    private readonly name: string,
    private readonly jwt: KmsJwtService,
    private readonly app: StartedApp,
    private readonly jwksPath: string | undefined,
    private readonly log: Pick<Log, 'info' | 'warn'>,
  ) {}

  /** Only at this point does Nest know all guards of the app. */
  onApplicationBootstrap(): void {
    // A test may have replaced the service by a mock, which has neither options nor a log.
    if (!isRealService(this.jwt)) return;
    this.jwt.stream.started();
    try {
      this.refuseUnverifiable();
    } catch (error) {
      throw withoutStack(error);
    }
    const { settings, signingKeyArn: keyArn } = this.jwt;
    this.log.info(describeRegistration(settings, { keyArn, jwksPath: this.jwksPath }));
    this.reportCookies();
    if (reported.has(this.app.modules)) return;
    reported.add(this.app.modules);
    this.reportHandlers(unguardedHandlers(this.app));
  }

  /** @throws KmsJwtOptionsError for a route whose options refuse every token */
  private refuseUnverifiable(): void {
    for (const handler of verifiedHandlers(this.name, this.app)) {
      this.refuseKeysElsewhere(handler);
      this.refuseUnknownIssuers(handler);
    }
  }

  /** KMS cannot verify tokens whose keys belong to another issuer. */
  private refuseKeysElsewhere({ className, method, options }: VerifiedHandler): void {
    if (options.verification !== 'kms' || this.jwt.settings.keyId !== undefined) return;
    throw new KmsJwtOptionsError(
      'VerifyWith.verification',
      `is 'kms' for ${className}.${method}, but the registration '${this.name}' has no keyId, and KMS does not have the keys of jwksUri or jwks: leave it out there to verify locally`,
    );
  }

  private refuseUnknownIssuers({ className, method, options: { issuers = [] } }: VerifiedHandler): void {
    const known = this.jwt.verifyOptions.issuerNames;
    const unknown = known && issuers.find((name) => !known.includes(name));
    if (unknown === undefined) return;
    throw new KmsJwtOptionsError(
      'VerifyWith.issuers',
      `names '${printableName(unknown)}' for ${className}.${method} (see @Issuers()), but the registration '${this.name}' has only these: ${known?.map(printableName).join(', ')}`,
    );
  }

  private reportCookies(): void {
    const { tokenFrom = [], allowedOrigins } = this.jwt.guardSettings;
    if (allowedOrigins || !tokenFrom.some(readsCookies)) return;
    const { modules } = this.app;
    const hasSubscriptions = handlersOf(modules).some(({ kind }) => kind === 'GraphQL subscription');
    if (!hasSubscriptions && gatewaysOf(modules).length === 0) return;
    this.log.warn(
      'guard.tokenFrom has fromCookie: a WebSocket from a browser with its token in a cookie is refused until guard.allowedOrigins lists the origin of its page',
    );
  }

  private reportHandlers(handlers: readonly Handler[]): void {
    const fields = new Map<string, string[]>();
    for (const handler of handlers) {
      const { kind, className, method } = handler;
      if (kind === 'GraphQL field') fields.set(className, [...(fields.get(className) ?? []), method]);
      else if (kind === 'WebSocket connection') this.log.info(describe(handler));
      else this.log.warn(describe(handler));
    }
    for (const [className, names] of fields) {
      this.log.info(
        `Nest runs no guard for the fields of ${className} (${names.join(', ')}): guard the field above them, or set fieldResolverEnhancers: ['guards'] in GraphQLModule`,
      );
    }
  }
}

function describe({ kind, className, method }: Handler): string {
  const name = `${className}.${method}`;
  if (kind === 'WebSocket connection') {
    return `Nest runs no guard for ${name}: call acceptConnection there, unless anybody may connect`;
  }
  if (kind === 'GraphQL reference') {
    return `Nest runs no guard for the reference resolver ${name}: call verifyReference there, or add @Public() if it needs no token`;
  }
  return `No KmsJwtGuard covers the ${kind} ${name}: add @UseGuards(KmsJwtGuard), or @Public() if it needs no token`;
}
