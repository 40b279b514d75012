import { accessFor, guardsOn, instanceOf, type Levels, verifyOptionsOf } from './access.js';
import { type Handler, handlersOf } from './handlers.js';
import type { StartedApp } from './unguarded-handlers.js';

/** The handlers whose tokens a guard of that instance verifies with `verification: 'kms'`, as `@VerifyWith()` asks. */
export function kmsVerifiedHandlers(instance: string, { modules, config }: StartedApp): Handler[] {
  const appGuards: unknown[] = [
    ...config.getGlobalGuards(),
    ...config.getGlobalRequestGuards().map(({ metatype }) => metatype),
  ];
  const isAsked = (guard: unknown, levels: Levels) =>
    instanceOf(guard) === instance && accessFor(guard as object, levels) !== 'elsewhere';
  return handlersOf(modules).filter(
    ({ levels }) =>
      verifyOptionsOf(levels)?.verification === 'kms' &&
      [...levels.flatMap(guardsOn), ...appGuards].some((guard) => isAsked(guard, levels)),
  );
}
