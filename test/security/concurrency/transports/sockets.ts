import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { startApp } from '../apps.js';
import { random } from '../run.js';
import { pickToken } from '../tokens.js';
import { headersOf, lastingTokens, type TransportUnderLoad } from '../transport.js';
import { acceptingGateway, messageTokenGateway, MessageTokenGuard, sessionGateway } from './gateways.js';
import { openSocketIo, openWs } from './socket-clients.js';
import { SocketConnection } from './socket-connection.js';

/** The socket.io namespace with `acceptConnection`, and the one with guards only on messages. */
const NAMESPACES = ['accepted', 'unaccepted'];

const socketIo: TransportUnderLoad = {
  names: ['socket.io'],
  connectionsPerUser: 3,
  async start() {
    const { app, url } = await startApp({
      providers: [
        MessageTokenGuard,
        acceptingGateway('accepted'),
        ...NAMESPACES.flatMap((namespace) => [sessionGateway(namespace), messageTokenGateway(namespace)]),
      ],
      prepare: (prepared) => prepared.useWebSocketAdapter(new IoAdapter(prepared)),
    });
    return {
      async connect(user, callers) {
        const namespace = random.pick(NAMESPACES);
        const tokens = lastingTokens(pickToken(user), callers);
        const open = () => openSocketIo(`${url}/${namespace}`, tokens);
        return SocketConnection.open(open, {
          transport: `socket.io, ${namespace}`,
          isChecked: namespace === 'accepted',
          tokens,
          user,
          callers,
        });
      },
      close: () => app.close(),
    };
  },
};

const ws: TransportUnderLoad = {
  names: ['ws'],
  connectionsPerUser: 3,
  async start() {
    const { app, url } = await startApp({
      // A socket of `ws` does not keep its request: without acceptConnection it has no token.
      providers: [MessageTokenGuard, acceptingGateway(), sessionGateway(), messageTokenGateway()],
      prepare: (prepared) => prepared.useWebSocketAdapter(new WsAdapter(prepared)),
    });
    return {
      async connect(user, callers) {
        const tokens = lastingTokens(pickToken(user), callers);
        const open = () => openWs(url, headersOf(tokens));
        return SocketConnection.open(open, { transport: 'ws', isChecked: true, tokens, user, callers });
      },
      close: () => app.close(),
    };
  },
};

export const sockets = [socketIo, ws];
