import type { EventEmitter } from 'node:events';
import type { Client } from './websocket-connection.js';

/** Messages of socket.io are held as callbacks here; without a bound, a client could fill the memory before its verdict. */
const MAX_HELD_MESSAGES = 100;

/** The messages of a client that wait for the verdict on its connection. */
interface Held {
  /** How many verdicts are awaited: each gateway of a server asks for one. */
  verdicts: number;
  isRefused: boolean;
  readonly messages: (() => void)[];
}

const heldBy = new WeakMap<Client, Held>();

/** Holds a client's messages back, until `release` or `drop` has been called for each `hold`. Call it synchronously. */
export function hold(client: Client, request?: object): void {
  const known = heldBy.get(client);
  if (known) known.verdicts += 1;
  else heldBy.set(client, { verdicts: 1, isRefused: false, messages: [] });
  if (known) return;
  if (client.disconnect) holdMessagesOfSocketIo(client);
  else holdMessagesOfWs(client, request);
}

/** The client is accepted: once no other verdict is awaited, its messages reach their handlers. */
export function release(client: Client): void {
  const held = settle(client);
  if (!held || held.verdicts > 0 || held.isRefused) return;
  for (const next of held.messages.splice(0)) next();
  client.resume?.();
}

/**
 * The client is refused: its messages never reach a handler.
 *
 * @returns false if it was already refused
 */
export function drop(client: Client): boolean {
  const held = settle(client);
  if (!held || held.isRefused) return false;
  held.isRefused = true;
  held.messages.splice(0);
  return true;
}

function settle(client: Client): Held | undefined {
  const held = heldBy.get(client);
  if (held) held.verdicts -= 1;
  return held;
}

/** `ws` flushes paused frames to the handlers when the connection is reset: nothing must listen then. */
function holdMessagesOfWs(client: Client, request: { socket?: EventEmitter } | undefined): void {
  client.pause?.();
  // Without the request, the socket is only in a private property of `ws`.
  // oxlint-disable-next-line no-underscore-dangle
  const socket = request?.socket ?? client._socket;
  socket?.prependOnceListener('close', () => {
    if ((heldBy.get(client)?.verdicts ?? 0) > 0) client.removeAllListeners?.('message');
  });
}

function holdMessagesOfSocketIo(client: Client): void {
  client.use?.((_message, next) => {
    const held = heldBy.get(client);
    if (held?.isRefused) return;
    if (!held || held.verdicts <= 0) return next();
    if (held.messages.length < MAX_HELD_MESSAGES) held.messages.push(next);
    else client.disconnect?.(true);
  });
}
