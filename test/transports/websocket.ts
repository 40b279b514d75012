import type { IncomingMessage } from 'node:http';
import { type DynamicModule, Inject, Module, type Type, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, fromAuthHeader, fromCookie, type JwtClaims, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { Refusal } from './cases.js';
import { answerTo, type Endpoint, type EndpointFamily, SCOPE } from './app-under-test.js';
import { PLATFORMS } from './http.js';

/** A message that a client of either kind received. */
interface Message {
  event: string;
  data: unknown;
}

/** The common interface of both kinds of client. */
interface Client {
  connected(): Promise<unknown>;
  next(): Promise<Message>;
  send(event: string): void;
  /** Why the server closed the connection. */
  closed(): Promise<unknown>;
  leave(): void;
}

@WebSocketGateway({ namespace: 'messages' })
class MessagesGateway {
  @UseGuards(KmsJwtGuard)
  @Scopes(SCOPE)
  @SubscribeMessage('orders')
  read(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
    return { event: 'answer', data: answerTo(claims, sub) };
  }
}

@WebSocketGateway({ namespace: 'connections' })
class SocketIoGateway implements OnGatewayConnection {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  async handleConnection(client: { emit(event: string, data: unknown): void }) {
    const claims = await this.guard.acceptConnection(client);
    if (claims) client.emit('welcome', answerTo(claims, claims.sub ?? ''));
  }
}

@WebSocketGateway()
class WsGateway implements OnGatewayConnection {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  async handleConnection(client: WebSocket, request: IncomingMessage) {
    const claims = await this.guard.acceptConnection(client, { request });
    if (claims) client.send(JSON.stringify({ event: 'welcome', data: answerTo(claims, claims.sub ?? '') }));
  }

  @UseGuards(KmsJwtGuard)
  @Scopes(SCOPE)
  @SubscribeMessage('orders')
  read(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
    return { event: 'answer', data: answerTo(claims, sub) };
  }
}

/** A queue of messages in the order of their arrival; `next` can be called before or after a message arrives. */
class Inbox {
  private readonly arrived: Message[] = [];
  private readonly waiting: ((message: Message) => void)[] = [];

  put(message: Message): void {
    const waiter = this.waiting.shift();
    if (waiter) waiter(message);
    else this.arrived.push(message);
  }

  next(): Promise<Message> {
    const message = this.arrived.shift();
    return message ? Promise.resolve(message) : new Promise((resolve) => this.waiting.push(resolve));
  }
}

export function socketIoClient(
  url: string,
  options: Partial<ManagerOptions & SocketOptions>,
  transports = ['websocket'],
): Client {
  const socket = io(url, { ...options, transports, reconnection: false, forceNew: true });
  const inbox = new Inbox();
  socket.onAny((event: string, data: unknown) => inbox.put({ event, data }));
  const connected = new Promise<void>((resolve) => socket.on('connect', resolve));
  const closed = new Promise((resolve) => socket.on('disconnect', (reason) => resolve(reason)));
  return {
    connected: () => connected,
    next: () => inbox.next(),
    send: (event) => socket.emit(event),
    closed: () => closed,
    leave: () => socket.close(),
  };
}

export function wsClient(url: string, headers: Record<string, string | string[]>): Client {
  const socket = new WebSocket(url, { headers });
  const inbox = new Inbox();
  socket.on('message', (data: Buffer) => inbox.put(JSON.parse(data.toString()) as Message));
  const connected = new Promise<void>((resolve) => socket.on('open', resolve));
  const closed = new Promise((resolve) =>
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  return {
    connected: () => connected,
    next: () => inbox.next(),
    send: (event) => socket.send(JSON.stringify({ event })),
    closed: () => closed,
    leave: () => socket.terminate(),
  };
}

const COOKIE = 'access_token';
const inHeader = (token: string) => ({ authorization: `Bearer ${token}` });
const inCookie = (token: string) => ({ cookie: `theme=dark; ${COOKIE}=${token}` });

type Connect = (url: string, token?: string) => Client;

const SOCKET_IO: Record<string, Connect> = {
  'token in auth': (url, token) => socketIoClient(url, { auth: { ...(token && { token }) } }),
  'token in a header': (url, token) =>
    socketIoClient(url, { extraHeaders: { ...(token && inHeader(token)) } }),
  'token in a cookie': (url, token) =>
    socketIoClient(url, { extraHeaders: { ...(token && inCookie(token)) } }),
};

const WS: Record<string, Connect> = {
  'token in a header': (url, token) => wsClient(url, { ...(token && inHeader(token)) }),
  'token in a cookie': (url, token) => wsClient(url, { ...(token && inCookie(token)) }),
};

/** What a client does once it is connected; resolves with what it receives in return. */
type Visit = (client: Client) => Promise<unknown>;

const sendMessage: Visit = async (client) => {
  client.send('orders');
  return client.next();
};

const onlyConnect: Visit = async (client) => {
  const message = await client.next();
  return message.event === 'exception' ? { ...message, closed: await client.closed() } : message;
};

const connectAndSend: Visit = async (client) => {
  const message = await onlyConnect(client);
  return 'closed' in (message as object) ? message : sendMessage(client);
};

interface Server {
  gateway: Type;
  newAdapter: (app: object) => IoAdapter | WsAdapter;
  path: string;
}

const startWith =
  (
    { gateway, newAdapter, path }: Server,
    newPlatform: (typeof PLATFORMS)[string],
    connect: Connect,
    visit: Visit,
  ): Endpoint['start'] =>
  async (kmsJwt: DynamicModule) => {
    @Module({ imports: [kmsJwt], providers: [gateway, KmsJwtGuard] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, newPlatform(), { logger: false });
    app.useWebSocketAdapter(newAdapter(app));
    await app.listen(0, '127.0.0.1');
    const url = (await app.getUrl()) + path;
    return {
      async call(token) {
        const client = connect(url, token);
        try {
          return await visit(client);
        } finally {
          client.leave();
        }
      },
      close: () => app.close(),
    };
  };

const endpointsOf = (server: Server, clients: Record<string, Connect>, visit: Visit): Endpoint[] =>
  Object.entries(PLATFORMS).flatMap(([platform, newPlatform]) =>
    Object.entries(clients).map(([place, connect]) => ({
      name: `${platform}, ${place}`,
      start: startWith(server, newPlatform, connect, visit),
    })),
  );

const newIoAdapter = (app: object) => new IoAdapter(app);
const newWsAdapter = (app: object) => new WsAdapter(app);
const SOCKET_IO_MESSAGES: Server = { gateway: MessagesGateway, newAdapter: newIoAdapter, path: '/messages' };
const SOCKET_IO_CONNECTIONS: Server = {
  gateway: SocketIoGateway,
  newAdapter: newIoAdapter,
  path: '/connections',
};
const WS_SERVER: Server = { gateway: WsGateway, newAdapter: newWsAdapter, path: '' };

const NO_SCOPES = 'A scope is required only with the option `gateway`.';
const options = { guard: { tokenFrom: [fromAuthHeader(), fromCookie(COOKIE)] } };
const exception = ({ statusCode, message, errorCode }: Refusal) => ({
  event: 'exception',
  data: { status: 'error', statusCode, message, errorCode },
});

export const socketIoMessages: EndpointFamily = {
  name: 'Messages of socket.io',
  endpoints: endpointsOf(SOCKET_IO_MESSAGES, SOCKET_IO, sendMessage),
  options,
  admitted: (answer) => ({ event: 'answer', data: answer }),
  refused: exception,
};

export const socketIoConnections: EndpointFamily = {
  name: 'Connections of socket.io, with acceptConnection',
  endpoints: endpointsOf(SOCKET_IO_CONNECTIONS, SOCKET_IO, onlyConnect),
  options,
  about: NO_SCOPES,
  ignoresScopes: true,
  admitted: (answer) => ({ event: 'welcome', data: answer }),
  refused: (refusal) => ({ ...exception(refusal), closed: 'io server disconnect' }),
};

const exceptionAndClose = (refusal: Refusal) => ({
  ...exception(refusal),
  closed: { code: refusal.statusCode === 401 ? 1008 : 1013, reason: refusal.errorCode },
});

export const wsConnections: EndpointFamily = {
  name: 'Connections of ws, with acceptConnection',
  endpoints: endpointsOf(WS_SERVER, WS, onlyConnect),
  options,
  about: NO_SCOPES,
  ignoresScopes: true,
  admitted: (answer) => ({ event: 'welcome', data: answer }),
  refused: exceptionAndClose,
};

export const wsMessages: EndpointFamily = {
  name: 'Messages of ws, after acceptConnection',
  about:
    'A client that `acceptConnection` refuses is disconnected. For one that it accepts, the guard checks each message.',
  endpoints: endpointsOf(WS_SERVER, WS, connectAndSend),
  options,
  admitted: (answer) => ({ event: 'answer', data: answer }),
  // A connection requires no scope: without it, only the message is refused, and the connection stays open.
  refused: (refusal) => (refusal.statusCode === 403 ? exception(refusal) : exceptionAndClose(refusal)),
};
