import type { EventEmitter } from 'node:events';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { type Refusal, refusalOf } from '../refusal.js';

/** The handshake that socket.io keeps on each of its sockets. */
export interface Handshake {
  headers: TokenCarrier['headers'];
  query?: unknown;
  url?: string;
  /** As the client sent it. */
  auth?: Record<string, unknown> | null;
}

/** The parts of a socket of `ws` that end it. */
interface ClosableSocket {
  removeAllListeners?(event: string): unknown;
  close?(code: number, reason: string): unknown;
  terminate?(): unknown;
}

/** The parts of a socket that are used here: those of socket.io, or those of `ws`. */
export interface Client extends ClosableSocket {
  handshake?: Handshake;
  /** The request of the handshake, on a socket of socket.io. */
  request?: { rawHeaders?: string[] };
  /** socket.io's place for the app's own data of a client. */
  data?: object;
  /** Of socket.io. */
  connected?: boolean;
  /** Of `ws`. */
  readyState?: number;
  _socket?: EventEmitter;
  emit?(event: string, body: object): unknown;
  disconnect?(close: boolean): unknown;
  on?(event: string, listener: (body: object) => void): unknown;
  send?(message: string): unknown;
  pause?(): unknown;
  resume?(): unknown;
  /** socket.io's middleware of a socket. */
  use?(middleware: (message: unknown[], next: () => void) => void): unknown;
}

/** RFC 6455, section 7.4.1: policy violation, internal error; IANA's registry: try again later. */
const CLOSE_CODES: Record<Refusal['status'], number> = {
  400: 1008,
  401: 1008,
  403: 1008,
  500: 1011,
  503: 1013,
};

/** How long a client may take to answer the close frame. */
const CLOSE_TIMEOUT_MS = 1000;

/** Sends the event `exception` with the reason, and closes the connection. */
export function closeClient(client: Client, error: unknown): void {
  const { status, errorCode } = refusalOf(error);
  sendException(client, error);
  if (client.disconnect) return void client.disconnect(true);
  closeSocket(client, CLOSE_CODES[status], errorCode);
}

/** Closes a socket of `ws`. The messages of a client that ignores the close frame are dropped, and it is cut off after a second. */
export function closeSocket(socket: ClosableSocket, code: number, reason: string): void {
  // Also drops the frames that a paused socket holds: `ws` emits them when the socket is closed or terminated.
  socket.removeAllListeners?.('message');
  socket.close?.(code, reason);
  setTimeout(() => socket.terminate?.(), CLOSE_TIMEOUT_MS).unref();
}

/** Sends the event `exception`, as Nest's own filter does. */
export function sendException(client: Client, error: unknown): void {
  const body = exceptionBody(error);
  if (client.disconnect) client.emit?.('exception', body);
  else sendTo(client, body);
}

/** The body of the event `exception`. */
export function exceptionBody(error: unknown): object {
  const { status, message, errorCode } = refusalOf(error);
  return { status: 'error', statusCode: status, message, errorCode };
}

const refusals = new WeakSet<object>();
const listening = new WeakSet<object>();

/**
 * Before version 12, Nest's filter emits the event `exception` of a socket of `ws` only within this process. So a refusal of the
 * guard is sent to the client when it is emitted there.
 */
export function forwardRefusal(body: object, client: Client): void {
  if (client.disconnect) return;
  refusals.add(body);
  if (listening.has(client)) return;
  listening.add(client);
  client.on?.('exception', (emitted) => {
    if (refusals.has(emitted)) sendTo(client, emitted);
  });
}

function sendTo(client: Client, body: object): void {
  client.send?.(JSON.stringify({ event: 'exception', data: body }));
}
