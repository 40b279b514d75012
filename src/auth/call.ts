import type { ExecutionContext } from '@nestjs/common';
import { levelsOf } from './access.js';
import type { Route, Routes } from './routes.js';
import { transportOf } from './transports/index.js';
import type { Transport } from './transports/transport.js';

/** A call that a guard has to allow or refuse, with its transport and its route. */
export interface Call {
  readonly context: ExecutionContext;
  readonly transport: Transport;
  readonly route: Route;
}

/** @throws KmsJwtOptionsError for an unknown transport */
export function bindCall(context: ExecutionContext, routes: Routes): Call {
  return { context, transport: transportOf(context), route: routes.of(levelsOf(context)) };
}
