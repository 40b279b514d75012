import type { EndpointFamily } from './app-under-test.js';
import { graphql, graphqlSubscriptions } from './graphql.js';
import { grpc } from './grpc.js';
import { handshakes, namespaces } from './handshakes.js';
import { http } from './http.js';
import { tcp } from './tcp.js';
import { socketIoConnections, socketIoMessages, wsConnections, wsMessages } from './websocket.js';

export const FAMILIES: readonly EndpointFamily[] = [
  http,
  graphql,
  graphqlSubscriptions,
  socketIoMessages,
  socketIoConnections,
  wsMessages,
  wsConnections,
  handshakes,
  namespaces,
  grpc,
  tcp,
];
