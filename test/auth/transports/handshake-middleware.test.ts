import type { ExecutionContext } from '@nestjs/common';
import { ConsoleLogger, Inject, Injectable, Logger, type Type } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import {
  fromAuthHeader,
  fromCookie,
  handshakeMiddleware,
  type KmsJwtError,
  KmsJwtGuard,
  type KmsJwtModuleOptions,
  Scopes,
  VerifyWith,
} from 'nestjs-kms-jwt';
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { watchRejections } from '../../transports/rejections.js';
import { startApp } from '../support.js';
import { connect, nap } from './handshakes.support.js';

type Middleware = (socket: object, next: (error?: Error) => void) => void;
interface Server {
  use(middleware: Middleware): void;
  emit(event: string, ...data: unknown[]): void;
}

@VerifyWith({ audience: 'sockets' })
@Scopes('orders:read')
class Decorated {}

/** The option `gateway` of the middleware. */
let gatewayOption: Type | undefined;
let laterMiddlewareThrows: boolean;
let connections: number;

const throwing = () => {
  throw new RangeError('broken');
};

function gatewayOf(kind: Type<KmsJwtGuard>, options: object) {
  @WebSocketGateway(options)
  class Gateway {
    @WebSocketServer() private readonly server!: Server;
    constructor(@Inject(kind) private readonly guard: KmsJwtGuard) {}

    afterInit(server: Server) {
      server.use(handshakeMiddleware(this.guard, gatewayOption && { gateway: gatewayOption }));
      if (laterMiddlewareThrows) server.use(throwing);
      const timer = setInterval(() => this.server.emit('news'), 1);
      onTestFinished(() => clearInterval(timer));
    }
    async handleConnection(client: { emit(event: string, data: unknown): void; recovered: boolean }) {
      connections += 1;
      const claims = await this.guard.acceptConnection(client);
      if (claims) client.emit('welcome', { sub: claims.sub, recovered: client.recovered });
    }
    @SubscribeMessage('drop') drop(client: { conn: { close(): void } }) {
      client.conn.close();
    }
  }
  return Gateway;
}

interface Parts {
  guard?: Type<KmsJwtGuard>;
  module?: Partial<KmsJwtModuleOptions>;
  /** Options of `@WebSocketGateway()`. */
  server?: object;
  gateway?: Type;
  laterMiddlewareThrows?: boolean;
}

function start({ guard = KmsJwtGuard, module: options = {}, server = {}, ...parts }: Parts = {}) {
  gatewayOption = parts.gateway;
  laterMiddlewareThrows = parts.laterMiddlewareThrows ?? false;
  connections = 0;
  return startApp({
    providers: [...new Set([KmsJwtGuard, guard]), gatewayOf(guard, server)],
    options,
    prepare: (app) => app.useWebSocketAdapter(new IoAdapter(app)),
  });
}

/** What a client receives first: the event `welcome`, or the refusal. */
function outcome(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => {
    socket.on('welcome', resolve);
    socket.on('connect_error', ({ message, data }: Error & { data?: unknown }) => resolve({ message, data }));
  });
}

const refused = (statusCode: number, errorCode: string, message: string) => ({
  message,
  data: { status: 'error', statusCode, message, errorCode },
});
const MISSING = refused(401, 'token_missing', 'The request carries no bearer token');

describe.each(['websocket', 'polling'])('handshakeMiddleware, over %s', (transport) => {
  const visit = (url: string, options: Partial<ManagerOptions & SocketOptions>) =>
    outcome(connect(url, { ...options, transports: [transport] }));

  test('admits a client with a valid token, in auth or in a header', async () => {
    const { url, jwt } = await start();
    const token = await jwt.sign({ sub: 'user-42' });
    const welcome = { sub: 'user-42', recovered: false };
    expect(await visit(url, { auth: { token } })).toEqual(welcome);
    expect(await visit(url, { extraHeaders: { authorization: `Bearer ${token}` } })).toEqual(welcome);
  });

  test('refuses a client without a valid token by connect_error', async () => {
    const { url, jwt } = await start({ module: { isRevoked: ({ jti }) => jti === 'stolen' } });
    const visitWith = async (claims: object) => visit(url, { auth: { token: await jwt.sign(claims) } });
    expect(await visit(url, {})).toEqual(MISSING);
    expect(await visitWith({ iat: 1, exp: 2 })).toEqual(
      refused(401, 'token_expired', 'The token has expired'),
    );
    expect(await visitWith({ jti: 'stolen' })).toEqual(
      refused(401, 'token_revoked', 'The token has been revoked'),
    );
    const token = await jwt.sign({});
    const twice = { auth: { token }, extraHeaders: { authorization: `Bearer ${token}` } };
    expect(await visit(url, twice)).toMatchObject({
      data: { statusCode: 400, errorCode: 'token_ambiguous' },
    });
    const twoLines = [`Bearer ${token}`, 'Basic dXNlcjpwYXNz'] as unknown as string;
    expect(await visit(url, { extraHeaders: { authorization: twoLines } })).toMatchObject({
      data: { errorCode: 'token_ambiguous' },
    });
    expect(connections).toBe(0);
  });

  test('refuses a cookie from another origin', async () => {
    const tokenFrom = [fromAuthHeader(), fromCookie('token')];
    const allowedOrigins = ['https://app.example.com'];
    const { url, jwt } = await start({ module: { guard: { tokenFrom, allowedOrigins } } });
    const cookie = `token=${await jwt.sign({})}`;
    const visitFrom = (origin: string) => visit(url, { extraHeaders: { cookie, origin } });
    expect(await visitFrom('https://evil.example')).toMatchObject({
      data: { statusCode: 403, errorCode: 'origin_not_allowed' },
    });
    expect(await visitFrom('https://app.example.com')).toHaveProperty('recovered');
  });

  test('answers 503 for an outage, and logs it once', async () => {
    const { url, jwt } = await start({
      module: { isRevoked: () => Promise.reject(new Error('unavailable')) },
    });
    const lines: unknown[] = [];
    class Lines extends ConsoleLogger {
      override error(line: unknown) {
        lines.push(line);
      }
    }
    Logger.overrideLogger(new Lines());
    onTestFinished(() => Logger.overrideLogger(false));
    expect(await visit(url, { auth: { token: await jwt.sign({}) } })).toEqual(
      refused(503, 'revocation_unavailable', 'Service Unavailable'),
    );
    expect(lines).toEqual([expect.stringContaining('RevocationUnavailableError')]);
  });

  test('sends no broadcast to a client that it refuses', async () => {
    const { url, jwt } = await start({ module: { isRevoked: async () => nap(150).then(() => true) } });
    const client = connect(url, { auth: { token: await jwt.sign({}) }, transports: [transport] });
    const received: unknown[] = [];
    client.onAny((event) => received.push(event));
    expect(await outcome(client)).toMatchObject({ data: { errorCode: 'token_revoked' } });
    await nap(50);
    expect(received).toEqual([]);
    expect(connections).toBe(0);
  });

  test('applies the decorators of the given gateway', async () => {
    const { url, jwt } = await start({ gateway: Decorated });
    const visitWith = async (claims: object) => visit(url, { auth: { token: await jwt.sign(claims) } });
    expect(await visitWith({ aud: 'sockets', scope: 'orders:read' })).toHaveProperty('recovered');
    expect(await visitWith({ aud: 'sockets' })).toMatchObject({
      data: { statusCode: 403, errorCode: 'insufficient_scope' },
    });
    expect(await visitWith({ scope: 'orders:read' })).toMatchObject({
      data: { errorCode: 'token_claim_invalid' },
    });
  });
});

describe('handshakeMiddleware', () => {
  test('guards its namespace and no other', async () => {
    const { url } = await start({ server: { namespace: 'orders' } });
    expect(await outcome(connect(`${url}/orders`, {}))).toEqual(MISSING);
    const root = connect(url, {});
    await new Promise<void>((resolve) => root.on('connect', resolve));
  });

  test('guards dynamic namespaces', async () => {
    const { url, jwt } = await start({ server: { namespace: /^\/tenant-\d+$/ } });
    expect(await outcome(connect(`${url}/tenant-1`, {}))).toEqual(MISSING);
    const auth = { token: await jwt.sign({}) };
    expect(await outcome(connect(`${url}/tenant-1`, { auth }))).toHaveProperty('recovered');
  });

  test('calls the overridden methods of a subclass with the socket.io client', async () => {
    const calls: unknown[] = [];
    @Injectable()
    class CountingGuard extends KmsJwtGuard {
      protected override getToken(context: ExecutionContext) {
        const { handshake } = context.switchToWs().getClient<{ handshake: { auth: { legacy?: string } } }>();
        return super.getToken(context) ?? handshake.auth.legacy;
      }
      protected override handleError(error: KmsJwtError): never {
        calls.push(error.code);
        throw new RangeError('the metrics are unavailable');
      }
    }
    const { url, jwt } = await start({ guard: CountingGuard });
    expect(await outcome(connect(url, { auth: { legacy: await jwt.sign({}) } }))).toHaveProperty('recovered');
    expect(await outcome(connect(url, {}))).toEqual(MISSING);
    expect(calls).toEqual(['token_missing']);
  });

  test.each([[undefined], [new RangeError('the user database is unavailable')]])(
    'answers 500 when a subclass throws %s, and never rejects',
    async (thrown) => {
      const rejections = watchRejections();
      @Injectable()
      class BrokenGuard extends KmsJwtGuard {
        protected override authenticate(): never {
          throw thrown as Error;
        }
      }
      const { url, jwt } = await start({ guard: BrokenGuard });
      expect(await outcome(connect(url, { auth: { token: await jwt.sign({}) } }))).toEqual(
        refused(500, 'internal_error', 'Internal Server Error'),
      );
      expect(rejections).toEqual([]);
    },
  );

  test('closes the connection when a later middleware throws, and never rejects', async () => {
    const rejections = watchRejections();
    const { url, jwt } = await start({ laterMiddlewareThrows: true });
    const client = connect(url, { auth: { token: await jwt.sign({}) } });
    await new Promise((resolve) => client.io.on('close', resolve));
    expect(rejections).toEqual([]);
  });
});

const recovery = (skipMiddlewares?: boolean) => ({
  server: {
    connectionStateRecovery: { ...(skipMiddlewares !== undefined && { skipMiddlewares }) },
  },
});

/** Connects, loses the connection, and connects again. */
async function reconnect(url: string, token: string, meanwhile: () => void) {
  const client = connect(url, { auth: { token }, reconnection: true, reconnectionDelay: 20 });
  expect(await outcome(client)).toEqual({ sub: 'user-42', recovered: false });
  // The first event carries the offset from which the connection can be recovered.
  await new Promise<void>((resolve) => client.once('news', resolve));
  meanwhile();
  client.emit('drop');
  await new Promise((resolve) => client.once('disconnect', resolve));
  return outcome(client);
}

describe('a recovered connection', () => {
  test('is verified again', async () => {
    let isRevoked = false;
    const { url, jwt } = await start({ module: { isRevoked: () => isRevoked }, ...recovery(false) });
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await reconnect(url, token, () => {})).toEqual({ sub: 'user-42', recovered: true });
    connections = 0;
    const outcomeOfRevoked = reconnect(url, token, () => {
      isRevoked = true;
    });
    expect(await outcomeOfRevoked).toEqual(refused(401, 'token_revoked', 'The token has been revoked'));
    expect(connections).toBe(1);
  });

  test.each([undefined, true])(
    'would not be verified with skipMiddlewares %s: every connection is refused',
    async (skipMiddlewares) => {
      const { url, jwt } = await start(recovery(skipMiddlewares));
      expect(await outcome(connect(url, { auth: { token: await jwt.sign({}) } }))).toEqual(
        refused(500, 'options_invalid', 'Internal Server Error'),
      );
    },
  );
});
