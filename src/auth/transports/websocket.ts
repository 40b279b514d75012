import type { ExecutionContext } from '@nestjs/common';
import { type KmsJwtError, TokenError } from '../../errors.js';
import type { TokenCarrier } from '../../kms-jwt.options.js';
import { refusalOf } from '../refusal.js';
import { headersFrom, type Transport } from './transport.js';

/** What socket.io keeps of the handshake on each of its sockets. */
interface Handshake {
  headers: TokenCarrier['headers'];
  query?: unknown;
  auth?: Record<string, unknown>;
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
  return [{ headers, query }, { headers: headersOfAuth(auth) }];
}

/** socket.io's `auth: { token }`, by its own convention, and `auth: { authorization: 'Bearer …' }`. */
function headersOfAuth(auth: Record<string, unknown> = {}): TokenCarrier['headers'] {
  const { token, ...rest } = auth;
  return { ...headersFrom(rest), ...(typeof token === 'string' && { authorization: `Bearer ${token}` }) };
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
  async refuse(error) {
    const { WsException } = await import('@nestjs/websockets');
    return new WsException(wsBody(error));
  },
};

/** What `disconnect` needs of a socket: socket.io's has the first two, that of `ws` the others. */
interface Connection {
  emit?(event: string, body: object): unknown;
  disconnect?(close: boolean): unknown;
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
  else client.send?.(JSON.stringify({ event: 'exception', data: body }));
}

/** Tells the client why, and closes the connection. */
export function disconnect(client: Connection, error: KmsJwtError): void {
  tell(client, error);
  if (client.disconnect) client.disconnect(true);
  else client.close?.(error instanceof TokenError ? POLICY_VIOLATION : TRY_AGAIN_LATER, error.code);
}
