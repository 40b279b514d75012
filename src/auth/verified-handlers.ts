import type { RouteVerifyOptions } from '../options/kms-jwt.options.js';
import { accessFor, guardsOn, registrationOf, type Levels, verifyOptionsOf } from './access.js';
import { type Handler, handlersOf } from './handlers.js';
import type { StartedApp } from './unguarded-handlers.js';

/** A handler with `@VerifyWith()` or `@Issuers()`, on it or on its class. */
export interface VerifiedHandler extends Handler {
  readonly options: RouteVerifyOptions;
}

/** The handlers whose tokens a guard of that registration verifies with the handlers' own options. */
export function verifiedHandlers(registration: string, { modules, config }: StartedApp): VerifiedHandler[] {
  const appGuards: unknown[] = [
    ...config.getGlobalGuards(),
    ...config.getGlobalRequestGuards().map(({ metatype }) => metatype),
  ];
  const isAsked = (guard: unknown, levels: Levels) =>
    registrationOf(guard) === registration && accessFor(guard as object, levels) !== 'elsewhere';
  return handlersOf(modules).flatMap((handler): VerifiedHandler[] => {
    const { levels } = handler;
    const options = verifyOptionsOf(levels);
    if (!options) return [];
    const guards = [...levels.flatMap(guardsOn), ...appGuards];
    return guards.some((guard) => isAsked(guard, levels)) ? [{ ...handler, options }] : [];
  });
}
