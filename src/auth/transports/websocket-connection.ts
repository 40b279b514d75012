import type { ExecutionContext } from '@nestjs/common';
import { type Refusal, refusalOf } from '../refusal.js';
import { drop, hold, release } from './held-messages.js';
import type { ConnectionTransport } from './transport.js';
import { type Client, rememberHandshake, sendException } from './websocket.js';

/** RFC 6455, section 7.4.1: policy violation, internal error; IANA's registry: try again later. */
const CLOSE_CODES: Record<Refusal['status'], number> = {
  400: 1008,
  401: 1008,
  403: 1008,
  500: 1011,
  503: 1013,
};

export const websocketConnection: ConnectionTransport = {
  open(client: Client, { request, gateway }) {
    if (request) rememberHandshake(client, request);
    hold(client);
    return connectionContext(client, gateway);
  },
  accept: release,
  refuse(error, client: Client) {
    const { status, errorCode } = refusalOf(error);
    drop(client);
    sendException(client, error);
    if (client.disconnect) client.disconnect(true);
    else client.close?.(CLOSE_CODES[status], errorCode);
    // A paused socket of `ws` would not see the client's answer to the close frame.
    client.resume?.();
  },
};

function connectionContext(client: object, gateway: object = {}): ExecutionContext {
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
