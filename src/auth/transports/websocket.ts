import type { ExecutionContext } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { type Refusal, refusalOf } from '../refusal.js';
import { headersFrom, type Transport } from './transport.js';

/** What socket.io keeps of the handshake on each of its sockets. */
interface Handshake {
  headers: TokenCarrier['headers'];
  query?: unknown;
  url?: string;
  /** As the client sent it. */
  auth?: Record<string, unknown> | null;
}

interface Client {
  handshake?: Handshake;
  /** socket.io's place for what an app knows of a client. */
  data?: object;
}

// A socket of `ws` forgets its request; acceptConnection() keeps it here.
const requests = new WeakMap<object, TokenCarrier>();

export function keepHandshake(client: object, request: TokenCarrier): void {
  requests.set(client, request);
}

function carriersOf(client: Client): TokenCarrier[] {
  const request = requests.get(client);
  if (request) return [request];
  return client.handshake ? handshakeCarriers(client.handshake) : [];
}

// Read once for a connection: each of its messages asks.
const carriers = new WeakMap<Handshake, TokenCarrier[]>();

function handshakeCarriers(handshake: Handshake): TokenCarrier[] {
  const { headers, query, url = '', auth } = handshake;
  const known = carriers.get(handshake) ?? [{ headers, query, url }, ...authCarriers(auth)];
  carriers.set(handshake, known);
  return known;
}

/** socket.io's `auth: { token }`, by its own convention, and `auth: { authorization: 'Bearer …' }`. */
function authCarriers(auth: Handshake['auth']): TokenCarrier[] {
  const { token, ...rest } = auth ?? {};
  const ofToken =
    typeof token === 'string' ? [{ headers: { authorization: `Bearer ${token}` }, url: '' }] : [];
  return [{ headers: headersFrom(rest), url: '' }, ...ofToken];
}

/** What the event `exception` carries. */
function wsBody(error: KmsJwtError) {
  const { status, message, errorCode } = refusalOf(error);
  return { status: 'error', statusCode: status, message, errorCode };
}

const clientOf = (context: ExecutionContext) => context.switchToWs().getClient<Client>();
const requestOf = (context: ExecutionContext) => clientOf(context).data ?? clientOf(context);

export const websocket: Transport = {
  carriersOf: (context) => carriersOf(clientOf(context)),
  requestOf,
  callOf: requestOf,
  async refuse(error, context) {
    const { WsException } = await import('@nestjs/websockets');
    const body = wsBody(error);
    passOn(body, context.switchToWs().getClient<Connection>());
    return new WsException(body);
  },
};

/** What is needed of a socket to tell it something: socket.io's has the first two, that of `ws` the others. */
interface Connection {
  emit?(event: string, body: object): unknown;
  disconnect?(close: boolean): unknown;
  on?(event: string, listener: (body: object) => void): unknown;
  send?(message: string): unknown;
  close?(code: number, reason: string): unknown;
}

/** RFC 6455, section 7.4.1: policy violation, internal error; and try again later, of IANA's registry. */
const CLOSE_CODES: Record<Refusal['status'], number> = {
  400: 1008,
  401: 1008,
  403: 1008,
  500: 1011,
  503: 1013,
};

/** The event `exception`, as Nest's own filter sends it. */
export function tell(client: Connection, error: KmsJwtError): void {
  const body = wsBody(error);
  if (client.disconnect) client.emit?.('exception', body);
  else sendTo(client, body);
}

function sendTo(client: Connection, body: object): void {
  client.send?.(JSON.stringify({ event: 'exception', data: body }));
}

const refusals = new WeakSet<object>();
const listening = new WeakSet<object>();

/**
 * Before version 12, Nest's filter emits the event on sockets of `ws` too, where nobody hears it but this process: what
 * the guard refused is sent from there.
 */
function passOn(body: object, client: Connection): void {
  if (client.disconnect) return;
  refusals.add(body);
  if (listening.has(client)) return;
  listening.add(client);
  client.on?.('exception', (emitted) => {
    if (refusals.has(emitted)) sendTo(client, emitted);
  });
}

/** Tells the client why, and closes the connection. */
export function disconnect(client: Connection, error: KmsJwtError): void {
  tell(client, error);
  if (client.disconnect) client.disconnect(true);
  else client.close?.(CLOSE_CODES[refusalOf(error).status], error.code);
}

function elsewhere(): never {
  throw new TypeError('A connection of a WebSocket is none of HTTP or RPC');
}

/** A connection in the place of a message: the context of the `handleConnection` of a gateway. */
export function connectionContext(client: object, gateway: object = {}): ExecutionContext {
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
    switchToHttp: elsewhere,
    switchToRpc: elsewhere,
  } as unknown as ExecutionContext;
}
