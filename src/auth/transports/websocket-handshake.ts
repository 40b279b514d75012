import type { ExecutionContext } from '@nestjs/common';
import { drop, hold, release } from './websocket-held-messages.js';
import type { ConnectionTransport } from './transport.js';
import { type Client, closeClient } from './websocket-connection.js';
import { rememberHandshake, socketConnection } from './websocket.js';

/** The gateways that clients were accepted by, for their decorators. */
const gateways = new WeakMap<Client, Set<object>>();

export const websocketHandshake: ConnectionTransport = {
  open(client: Client, { request, gateway }) {
    if (request) rememberHandshake(client, request);
    if (gateway) gateways.set(client, (gateways.get(client) ?? new Set()).add(gateway));
    hold(client, request);
    return connectionContext(client, gateway);
  },
  accept: release,
  refuse(error, client: Client) {
    drop(client);
    closeClient(client, error);
    // A paused socket of `ws` would not see the client's answer to the close frame.
    client.resume?.();
  },
  contextsOf(client: Client) {
    const [first, ...others] = gateways.get(client) ?? [];
    return [connectionContext(client, first), ...others.map((gateway) => connectionContext(client, gateway))];
  },
  connectionOf: socketConnection,
};

/** The context of the gateway's `handleConnection`, as if a guard were asked. */
export function connectionContext(client: Client, gateway: object = {}): ExecutionContext {
  const args = [client];
  const ws = { getClient: () => client, getData: () => undefined, getPattern: () => 'connection' };
  const handler: unknown = Reflect.get(gateway, 'handleConnection');
  return {
    getType: () => 'ws',
    getClass: () => gateway.constructor,
    getHandler: () => (typeof handler === 'function' ? handler : connectionContext),
    getArgs: () => args,
    getArgByIndex: (index: number) => args[index],
    switchToWs: () => ws,
    switchToHttp: refuseSwitch,
    switchToRpc: refuseSwitch,
  } as unknown as ExecutionContext;
}

function refuseSwitch(): never {
  throw new TypeError('The context of a WebSocket connection has no HTTP or RPC arguments');
}
