import * as nest from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { declaredAccess, hasGuard, isKmsJwtGuard } from './access.js';
import { guardsFields, type Handler, handlersOf } from './handlers.js';

/** An app that has started. */
export interface StartedApp {
  modules: ModulesContainer;
  /** Contains the global guards. */
  config: Pick<ApplicationConfig, 'getGlobalGuards' | 'getGlobalRequestGuards'>;
  /** Whether it serves HTTP. */
  hasHttp: boolean;
}

/**
 * The handlers of an app that no `KmsJwtGuard` covers; none for an app without any `KmsJwtGuard`. A handler with `@Public()` or
 * `@OptionalAuth()` counts as covered, and so does one for which it is not known whether Nest runs global guards.
 */
export function unguardedHandlers(app: StartedApp): Handler[] {
  const handlers = handlersOf(app.modules);
  const hasAppGuard = isAppGuarded(app.config);
  if (!hasAppGuard && !handlers.some(({ levels }) => hasGuard(levels))) return [];
  const asksGuardsOfFields = guardsFields(app.modules);
  return handlers.filter((handler) => {
    const { kind, levels } = handler;
    const access = declaredAccess(levels);
    if (access === 'public' || access === 'optional') return false;
    switch (kind) {
      case 'HTTP route':
        return app.hasHttp && !hasAppGuard && !hasGuard(levels);
      case 'WebSocket connection':
        return !mentions(handler, 'acceptConnection');
      case 'WebSocket message':
        return !(hasAppGuard && ASKS_APP_GUARD_IN_GATEWAYS) && !hasGuard(levels);
      case 'GraphQL reference':
        if (mentions(handler, 'verifyReference')) return false;
        return !asksGuardsOfFields || (!hasAppGuard && !hasGuard(levels));
      case 'GraphQL field':
        return !asksGuardsOfFields || (!hasAppGuard && !hasGuard(levels));
      // Microservice handlers, too: a hybrid app may or may not have inheritAppConfig.
      default:
        return !hasAppGuard && !hasGuard(levels);
    }
  });
}

/** Whether Nest runs global guards in gateways: Nest 12 does, and is the first version with this export. */
const ASKS_APP_GUARD_IN_GATEWAYS = 'StandardSchemaValidationPipe' in nest;

function isAppGuarded(config: StartedApp['config']): boolean {
  // A factory that is called for each request can make any guard.
  const perRequest = config
    .getGlobalRequestGuards()
    .some(({ metatype, isNotMetatype }) => isNotMetatype || isKmsJwtGuard(metatype));
  return perRequest || config.getGlobalGuards().some(isKmsJwtGuard);
}

/** Whether the source code of a handler contains a name. A call that it makes through another function is not found. */
function mentions({ levels: [method] }: Handler, name: string): boolean {
  return Function.prototype.toString.call(method).includes(name);
}
