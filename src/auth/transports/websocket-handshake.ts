import type { ExecutionContext } from '@nestjs/common';
import { drop, hold, release } from './websocket-held-messages.js';
import type { ConnectionTransport } from './transport.js';
import { type Client, closeClient } from './websocket-connection.js';
import { prototypeOf } from './prototype-of.js';
import { rememberHandshake, socketConnection } from './websocket.js';

/** The gateways that have accepted a client, by the registration of the guard: their decorators count. */
const gateways = new WeakMap<Client, Map<string, Set<object>>>();

export const websocketHandshake: ConnectionTransport = {
  open(client: Client, { request, gateway }, registration) {
    if (request) rememberHandshake(client, request);
    if (gateway) addGateway(client, registration, gateway);
    hold(client, request);
    return connectionContext(client, gateway);
  },
  accept: release,
  refuse(error, client: Client) {
    if (!drop(client)) return false;
    closeClient(client, error);
    // A paused socket of `ws` would not see the client's answer to the close frame.
    client.resume?.();
    return true;
  },
  contextsOf(client: Client, registration) {
    const [first, ...others] = gateways.get(client)?.get(registration) ?? [];
    return [connectionContext(client, first), ...others.map((gateway) => connectionContext(client, gateway))];
  },
  connectionOf: socketConnection,
};

function addGateway(client: Client, registration: string, gateway: object): void {
  const byRegistration = gateways.get(client) ?? new Map<string, Set<object>>();
  gateways.set(
    client,
    byRegistration.set(registration, (byRegistration.get(registration) ?? new Set()).add(gateway)),
  );
}

/**
 * The context of the gateway's `handleConnection`, as a guard would get it.
 *
 * @param gateway the gateway or its class
 */
export function connectionContext(client: Client, gateway: object = {}): ExecutionContext {
  const prototype = prototypeOf(gateway);
  const args = [client];
  const ws = { getClient: () => client, getData: () => undefined, getPattern: () => 'connection' };
  const handler: unknown = Reflect.get(prototype, 'handleConnection');
  return {
    getType: () => 'ws',
    getClass: () => prototype.constructor,
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
