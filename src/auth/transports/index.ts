import type { ArgumentsHost } from '@nestjs/common';
import { KmsJwtOptionsError } from '../../errors/errors.js';
import { graphql } from './graphql.js';
import { http } from './http.js';
import { rpc } from './rpc.js';
import type { ConnectionTransport, Transport } from './transport.js';
import { websocketHandshake } from './websocket-handshake.js';
import { websocket } from './websocket.js';

/** By Nest's name for the type of a context. A new transport is its file and one line here. */
const TRANSPORTS: ReadonlyMap<string, Transport> = new Map([
  ['http', http],
  ['graphql', graphql],
  ['ws', websocket],
  ['rpc', rpc],
]);

/** The transport of connections that `acceptConnection` accepts. */
export const CONNECTIONS: ConnectionTransport = websocketHandshake;

export function findTransport(host: ArgumentsHost): Transport | undefined {
  return TRANSPORTS.get(host.getType());
}

/** @throws KmsJwtOptionsError for an unknown transport: a call that cannot be read is refused */
export function transportOf(host: ArgumentsHost): Transport {
  const transport = findTransport(host);
  if (transport) return transport;
  const known = [...TRANSPORTS.keys()].join(', ');
  throw new KmsJwtOptionsError(
    'KmsJwtGuard',
    `does not support the transport ${host.getType()}: the supported ones are ${known}`,
  );
}
