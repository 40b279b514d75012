import type { ArgumentsHost } from '@nestjs/common';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { refusalOf } from '../refusal.js';
import { headersFrom } from './headers.js';
import type { Transport } from './transport.js';

/** The handshake that socket.io keeps on each of its sockets. */
interface Handshake {
  headers: TokenCarrier['headers'];
  query?: unknown;
  url?: string;
  /** As the client sent it. */
  auth?: Record<string, unknown> | null;
}

/** The parts of a socket that are used here: those of socket.io, or those of `ws`. */
export interface Client {
  handshake?: Handshake;
  /** The request of the handshake, on a socket of socket.io. */
  request?: { rawHeaders?: string[] };
  /** socket.io's place for the app's own data of a client. */
  data?: object;
  emit?(event: string, body: object): unknown;
  disconnect?(close: boolean): unknown;
  on?(event: string, listener: (body: object) => void): unknown;
  send?(message: string): unknown;
  close?(code: number, reason: string): unknown;
  pause?(): unknown;
  resume?(): unknown;
  removeAllListeners?(event: string): unknown;
  /** socket.io's middleware of a socket. */
  use?(middleware: (message: unknown[], next: () => void) => void): unknown;
}

// A socket of `ws` forgets its request: acceptConnection() remembers it.
const requests = new WeakMap<object, TokenCarrier>();

export function rememberHandshake(client: object, request: TokenCarrier): void {
  requests.set(client, request);
}

/** Read for each message, as the app may take a token away: when its user logs out, say. */
function carriersOf(client: Client): TokenCarrier[] {
  const remembered = requests.get(client);
  if (remembered) return [remembered];
  if (!client.handshake) return [];
  const { headers, query, url = '', auth } = client.handshake;
  // A line that is repeated is seen there alone.
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

/** One object per message. Guard and decorators share nothing else of it: its data may be a string, or absent. */
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
  requestOf,
  callsToRecord: (context) => [findCall(context) ?? addCall(context)],
  callsToRead(context) {
    const call = findCall(context);
    return call ? [call] : [];
  },
  async refuse(error, host) {
    const { WsException } = await import('@nestjs/websockets');
    const body = exceptionBody(error);
    forwardRefusal(body, clientOf(host));
    return new WsException(body);
  },
  respond: (error, host) => sendException(clientOf(host), error),
};

/** The body of the event `exception`. */
function exceptionBody(error: unknown) {
  const { status, message, errorCode } = refusalOf(error);
  return { status: 'error', statusCode: status, message, errorCode };
}

/** Sends the event `exception`, as Nest's own filter does. */
export function sendException(client: Client, error: unknown): void {
  const body = exceptionBody(error);
  if (client.disconnect) client.emit?.('exception', body);
  else sendTo(client, body);
}

function sendTo(client: Client, body: object): void {
  client.send?.(JSON.stringify({ event: 'exception', data: body }));
}

const refusals = new WeakSet<object>();
const listening = new WeakSet<object>();

/**
 * Before version 12, Nest's filter emits the event on sockets of `ws` within this process alone: a refusal of the guard is
 * sent from there.
 */
function forwardRefusal(body: object, client: Client): void {
  if (client.disconnect) return;
  refusals.add(body);
  if (listening.has(client)) return;
  listening.add(client);
  client.on?.('exception', (emitted) => {
    if (refusals.has(emitted)) sendTo(client, emitted);
  });
}
