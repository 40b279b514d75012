import type { ExecutionContext } from '@nestjs/common';
import { KmsJwtOptionsError } from '../../errors/errors.js';
import { graphql } from './graphql.js';
import { http } from './http.js';
import { rpc } from './rpc.js';
import type { Transport } from './transport.js';
import { websocket } from './websocket.js';

/** By Nest's name of the context's type. */
const TRANSPORTS: ReadonlyMap<string, Transport> = new Map([
  ['http', http],
  ['graphql', graphql],
  ['ws', websocket],
  ['rpc', rpc],
]);

/** @throws KmsJwtOptionsError for a transport that is not known: nothing passes that cannot be read */
export function transportOf(context: ExecutionContext): Transport {
  const transport = TRANSPORTS.get(context.getType());
  if (transport) return transport;
  const known = [...TRANSPORTS.keys()].join(', ');
  throw new KmsJwtOptionsError(
    'KmsJwtGuard',
    `does not know the transport ${context.getType()}: known are ${known}`,
  );
}
