import type { ExecutionContext } from '@nestjs/common';
import { type KmsJwtError, TokenError } from '../../errors.js';
import type { TokenCarrier } from '../../kms-jwt.options.js';
import { refusalOf } from '../refusal.js';
import { headersFrom, type Transport } from './transport.js';

/** What socket.io keeps of the handshake on each of its sockets. */
interface Handshake {
  headers: TokenCarrier['headers'];
  query?: unknown;
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

export function handshakeCarriers(client: Client): TokenCarrier[] {
  const request = requests.get(client);
  if (request) return [request];
  if (!client.handshake) return [];
  const { headers, query, auth } = client.handshake;
  return [{ headers, query }, ...authCarriers(auth)];
}

/** socket.io's `auth: { token }`, by its own convention, and `auth: { authorization: 'Bearer …' }`. */
function authCarriers(auth: Handshake['auth']): TokenCarrier[] {
  const { token, ...rest } = auth ?? {};
  const ofToken = typeof token === 'string' ? [{ headers: { authorization: `Bearer ${token}` } }] : [];
  return [{ headers: headersFrom(rest) }, ...ofToken];
}

/** What the event `exception` carries. */
function wsBody(error: KmsJwtError) {
  const { status, message, errorCode } = refusalOf(error);
  return { status: 'error', statusCode: status, message, errorCode };
}

const clientOf = (context: ExecutionContext) => context.switchToWs().getClient<Client>();
const requestOf = (context: ExecutionContext) => clientOf(context).data ?? clientOf(context);

export const websocket: Transport = {
  carriersOf: (context) => handshakeCarriers(clientOf(context)),
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

// RFC 6455, section 7.4.1: policy violation; and 1013, try again later, of IANA's registry.
const POLICY_VIOLATION = 1008;
const TRY_AGAIN_LATER = 1013;

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
  else client.close?.(error instanceof TokenError ? POLICY_VIOLATION : TRY_AGAIN_LATER, error.code);
}
