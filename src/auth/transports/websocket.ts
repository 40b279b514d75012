import type { ArgumentsHost } from '@nestjs/common';
import { KmsJwtOptionsError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { headersFrom } from './headers.js';
import type { OpenConnection, Transport } from './transport.js';
import {
  type Client,
  closeClient,
  exceptionBody,
  forwardRefusal,
  type Handshake,
  sendException,
} from './websocket-connection.js';

// A socket of `ws` does not keep its request: acceptConnection() remembers it.
const requests = new WeakMap<object, TokenCarrier>();

export function rememberHandshake(client: object, request: TokenCarrier): void {
  requests.set(client, request);
}

/** Read for each message, because the app may remove a token, for example when its user logs out. */
function carriersOf(client: Client): TokenCarrier[] {
  const remembered = requests.get(client);
  if (remembered) return [remembered];
  if (!client.handshake) return [];
  const { headers, query, url = '', auth } = client.handshake;
  // Only rawHeaders shows that a header is repeated.
  const carrier = { headers, query, url, rawHeaders: client.request?.rawHeaders };
  return [carrier, ...authCarriers(auth)];
}

/** socket.io's `auth: { token }`, by its own convention, and `auth: { authorization: 'Bearer …' }`. */
function authCarriers(auth: Handshake['auth']): TokenCarrier[] {
  const token = auth?.['token'];
  const ofToken =
    typeof token === 'string' ? [{ headers: { authorization: `Bearer ${token}` }, url: '' }] : [];
  return [{ headers: headersFrom(auth, 'token'), url: '' }, ...ofToken];
}

const clientOf = (host: ArgumentsHost) => host.switchToWs().getClient<Client>();
const requestOf = (host: ArgumentsHost) => clientOf(host).data ?? clientOf(host);

/** One object per message. The guard and decorators share no other object of a message: its data may be a string, or absent. */
const messageCalls = new WeakSet<object>();

function findCall(host: ArgumentsHost): object | undefined {
  return host.getArgs<unknown[]>().find((arg): arg is object => messageCalls.has(arg as object));
}

/** Puts it before the pattern, which `getPattern()` expects at the end. */
function addCall(host: ArgumentsHost): object {
  const args = host.getArgs<unknown[]>();
  const call = {};
  messageCalls.add(call);
  args.splice(Math.max(2, args.length - 1), 0, call);
  return call;
}

export const websocket: Transport = {
  carriersOf: (host) => carriersOf(clientOf(host)),
  originOf: (host) => carriersOf(clientOf(host))[0]?.headers['origin'],
  requestOf,
  callsToRecord: (context) => [findCall(context) ?? addCall(context)],
  callsToRead(context) {
    const call = findCall(context);
    return call ? [call] : [];
  },
  connectionOf: (context) => socketConnection(clientOf(context)),
  async refuse(error, host) {
    const { WsException } = await importWebsockets();
    const body = exceptionBody(error);
    forwardRefusal(body, clientOf(host));
    return new WsException(body);
  },
  respond: (error, host) => sendException(clientOf(host), error),
};

/** Within `try`, because bundlers then accept that the package is not installed. */
async function importWebsockets() {
  try {
    return await import('@nestjs/websockets');
  } catch (error) {
    throw new KmsJwtOptionsError('@nestjs/websockets', 'must be installed or bundled', { cause: error });
  }
}

export function socketConnection(client: Client): OpenConnection {
  return {
    key: client,
    hasCalls: true,
    isClosed: isClosed(client),
    end: (error) => closeClient(client, error),
    onClosed: (listener) => void client.on?.(client.disconnect ? 'disconnect' : 'close', listener),
  };
}

/** `WebSocket.OPEN`; the values for closing and closed are greater. */
const OPEN = 1;

function isClosed({ connected, readyState }: Client): boolean {
  return connected === false || (readyState ?? OPEN) > OPEN;
}
