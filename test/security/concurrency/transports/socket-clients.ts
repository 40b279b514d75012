import { once } from 'node:events';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { headersOf, type RequestTokens } from '../transport.js';

/** The common interface of the clients of socket.io and of ws. */
export interface Socket {
  send(event: string, data: object): void;
  onMessage(listener: (event: string, data: unknown) => void): void;
  onClosed(listener: () => void): void;
  readonly isOpen: boolean;
  close(): void;
}

/** The token of the user is in `auth`, the convention of socket.io; that of the service in a header. */
export async function openSocketIo(url: string, { user, internal }: RequestTokens): Promise<Socket> {
  const socket = io(url, {
    auth: user ? { token: user.value } : {},
    extraHeaders: headersOf({ user: undefined, internal }),
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return {
    send: (event, data) => socket.emit(event, data),
    onMessage: (listener) => void socket.onAny(listener),
    onClosed: (listener) => void socket.once('disconnect', listener),
    get isOpen() {
      return socket.connected;
    },
    close: () => void socket.close(),
  };
}

export async function openWs(url: string, headers: Record<string, string>): Promise<Socket> {
  const socket = new WebSocket(url, { headers });
  await once(socket, 'open');
  return {
    send: (event, data) => socket.send(JSON.stringify({ event, data })),
    onMessage(listener) {
      socket.on('message', (message: Buffer) => {
        const { event, data } = JSON.parse(message.toString()) as { event: string; data: unknown };
        listener(event, data);
      });
    },
    onClosed: (listener) => void socket.once('close', listener),
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    close: () => socket.terminate(),
  };
}
