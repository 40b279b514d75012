import type { ExecutionContext } from '@nestjs/common';
import { type Levels, levelsOf } from './access.js';
import { transportOf } from './transports/index.js';
import type { Transport } from './transports/transport.js';

/** A call that a guard is asked about, with what follows from its context. */
export interface Call {
  readonly context: ExecutionContext;
  readonly transport: Transport;
  readonly levels: Levels;
}

/** @throws KmsJwtOptionsError for an unknown transport */
export function bindCall(context: ExecutionContext): Call {
  return { context, transport: transportOf(context), levels: levelsOf(context) };
}
