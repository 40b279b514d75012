import { type DynamicModule, Inject, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import {
  fromAuthHeader,
  fromCookie,
  guardHandshakes,
  handshakeMiddleware,
  KmsJwtGuard,
} from 'nestjs-kms-jwt';
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import { handshake, WAYS } from '../auth/transports/handshakes.support.js';
import type { Endpoint, EndpointFamily } from './app-under-test.js';
import { http, PLATFORMS } from './http.js';

const options = { guard: { tokenFrom: [fromAuthHeader(), fromCookie('access_token')] } };

const platforms = Object.entries(PLATFORMS);

async function startApp(
  kmsJwt: DynamicModule,
  [, newPlatform]: (typeof platforms)[number],
  gateway: Type,
  newAdapter: (app: object, guard: KmsJwtGuard) => IoAdapter | WsAdapter,
) {
  @Module({ imports: [kmsJwt], providers: [gateway, KmsJwtGuard] })
  class AppModule {}
  const app = await NestFactory.create(AppModule, newPlatform(), { logger: false });
  app.useWebSocketAdapter(newAdapter(app, app.get(KmsJwtGuard)));
  await app.listen(0, '127.0.0.1');
  return app;
}

@WebSocketGateway()
class Gateway {}

const ofAdapter = platforms.flatMap((platform) =>
  WAYS.map((way): Endpoint => ({
    name: `${platform[0]}, ${way}`,
    async start(kmsJwt) {
      const app = await startApp(kmsJwt, platform, Gateway, (nest, guard) =>
        guardHandshakes(way === 'ws' ? new WsAdapter(nest) : new IoAdapter(nest), guard),
      );
      const url = await app.getUrl();
      return {
        call: (token) => handshake(way, url, token ? { authorization: `Bearer ${token}` } : {}),
        close: () => app.close(),
      };
    },
  })),
);

export const handshakes: EndpointFamily = {
  name: 'Handshakes of ws and socket.io, with guardHandshakes',
  about:
    'A refused handshake gets an HTTP response, and no connection is opened. A scope is required only with the option `gateway`.',
  endpoints: ofAdapter,
  options,
  ignoresScopes: true,
  admitted: () => ({ status: 'admitted' }),
  refused: (refusal) => http.refused(refusal),
};

@WebSocketGateway()
class NamespaceGateway {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}
  afterInit(server: { use(middleware: ReturnType<typeof handshakeMiddleware>): void }) {
    server.use(handshakeMiddleware(this.guard));
  }
}

/** The event that tells a client whether it is connected. */
async function connect(url: string, clientOptions: Partial<ManagerOptions & SocketOptions>) {
  const socket = io(url, { ...clientOptions, reconnection: false, forceNew: true });
  try {
    return await new Promise((resolve) => {
      socket.on('connect', () => resolve({ event: 'connect' }));
      socket.on('connect_error', ({ message, data }: Error & { data?: object }) =>
        resolve({ event: 'connect_error', message, data }),
      );
    });
  } finally {
    socket.close();
  }
}

const PLACES: Record<string, (token: string) => Partial<ManagerOptions & SocketOptions>> = {
  'token in auth': (token) => ({ auth: { token } }),
  'token in a header': (token) => ({ extraHeaders: { authorization: `Bearer ${token}` } }),
  'token in a cookie': (token) => ({ extraHeaders: { cookie: `access_token=${token}` } }),
};

const ofMiddleware = platforms.flatMap((platform) =>
  Object.entries(PLACES).map(([place, optionsWith]): Endpoint => ({
    name: `${platform[0]}, ${place}`,
    async start(kmsJwt) {
      const app = await startApp(kmsJwt, platform, NamespaceGateway, (nest) => new IoAdapter(nest));
      const url = await app.getUrl();
      return {
        call: (token) => connect(url, token ? optionsWith(token) : {}),
        close: () => app.close(),
      };
    },
  })),
);

export const namespaces: EndpointFamily = {
  name: 'Namespaces of socket.io, with handshakeMiddleware',
  about: 'A refused client is never connected. A scope is required only with the option `gateway`.',
  endpoints: ofMiddleware,
  options,
  ignoresScopes: true,
  admitted: () => ({ event: 'connect' }),
  refused: ({ statusCode, message, errorCode }) => ({
    event: 'connect_error',
    message,
    data: { status: 'error', statusCode, message, errorCode },
  }),
};
