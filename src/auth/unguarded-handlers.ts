import * as nest from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { declaredAccess, hasGuard, isKmsJwtGuard } from './access.js';
import { guardsFields, type Handler, handlersOf } from './handlers.js';

/** An app that has started. */
export interface StartedApp {
  modules: ModulesContainer;
  /** It has the guards of the whole app. */
  config: Pick<ApplicationConfig, 'getGlobalGuards' | 'getGlobalRequestGuards'>;
  /** Whether it serves HTTP. */
  hasHttp: boolean;
}

/**
 * The ways into an app that no `KmsJwtGuard` covers; none for an app without any `KmsJwtGuard`. A handler with `@Public()` or
 * `@OptionalAuth()` counts as covered, and so does one for which Nest does not say whether it asks the guards of the app.
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
      // Of microservices too, where a hybrid app may or may not have inheritAppConfig.
      default:
        return !hasAppGuard && !hasGuard(levels);
    }
  });
}

/** Nest 12 does, and it is the first with this export. */
const ASKS_APP_GUARD_IN_GATEWAYS = 'StandardSchemaValidationPipe' in nest;

function isAppGuarded(config: StartedApp['config']): boolean {
  // A factory that is called for each request can make any guard.
  const perRequest = config
    .getGlobalRequestGuards()
    .some(({ metatype, isNotMetatype }) => isNotMetatype || isKmsJwtGuard(metatype));
  return perRequest || config.getGlobalGuards().some(isKmsJwtGuard);
}

/** Whether the source of a handler has a name. Where it leaves the work to another function, that cannot be known. */
function mentions({ levels: [method] }: Handler, name: string): boolean {
  return Function.prototype.toString.call(method).includes(name);
}
