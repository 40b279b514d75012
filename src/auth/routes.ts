import { asConstant } from '../options/constant-options.js';
import type { RouteVerifyOptions } from '../options/kms-jwt.options.js';
import { type Access, accessFor, identityIn, type Levels, scopesOf, verifyOptionsOf } from './access.js';

/** What the decorators of a handler and its class require of a guard. */
export interface Route {
  readonly access: Access | 'elsewhere';
  /** The options of `@VerifyWith()`, which the service reads once. */
  readonly options: RouteVerifyOptions | undefined;
  readonly scopes: readonly string[];
  /** Identifies the guard among the guards of a call. */
  readonly guard: object;
}

/** The routes of a guard. Decorators do not change after start, so each route is read only once. */
export class Routes {
  private readonly byHandler = new WeakMap<Levels[0], WeakMap<Levels[1], Route>>();

  constructor(private readonly guard: object) {}

  of([handler, controller]: Levels): Route {
    return this.byHandler.get(handler)?.get(controller) ?? this.read([handler, controller]);
  }

  private read(levels: Levels): Route {
    const [handler, controller] = levels;
    const options = verifyOptionsOf(levels);
    const route: Route = {
      access: accessFor(this.guard, levels),
      options: options && asConstant(options),
      scopes: scopesOf(levels),
      guard: identityIn(this.guard, levels),
    };
    const byController = this.byHandler.get(handler) ?? new WeakMap<Levels[1], Route>();
    this.byHandler.set(handler, byController.set(controller, route));
    return route;
  }
}
