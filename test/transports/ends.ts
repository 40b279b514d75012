/** What the client of a connection or stream receives when its token expires; asserted by test/auth/expiry. */
export const ENDS = {
  'socket.io': { event: 'exception', errorCode: 'token_expired', closed: 'io server disconnect' },
  ws: { event: 'exception', errorCode: 'token_expired', closed: '1008 token_expired' },
  'graphql-ws': { closed: '4403 token_expired' },
  '`@Sse()` on Express and Fastify': {
    closed: 'the response ends, and its socket or HTTP/2 stream is closed',
  },
  'gRPC, server and bidirectional streams': { status: 16, details: 'The token has expired' },
  'Observables over TCP, Redis, NATS, with `KmsJwtExpiryInterceptor`': {
    error: { status: 'error', statusCode: 401, message: 'The token has expired', errorCode: 'token_expired' },
  },
} as const;
