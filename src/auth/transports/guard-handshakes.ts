import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketAdapter } from '@nestjs/common';
import { KmsJwtOptionsError } from '../../errors/errors.js';
import { checkService } from '../check-service.js';
import type { KmsJwtGuard } from '../kms-jwt.guard.js';
import { type HandshakeOptions, refusalOfHandshake, reportFailure } from './handshake-verdict.js';
import { headersOfRefusal, httpBody } from './http-refusal.js';
import { rememberHandshake } from './websocket.js';

type Done = (isVerified: boolean, status?: number, body?: string, headers?: Record<string, string>) => void;
type VerifyClient = (info: { req: IncomingMessage }, done: Done) => unknown;

/** The parts of a server of `ws` that are used here. */
interface WsServer {
  /** `ws` reads them at each upgrade. */
  options: { verifyClient?: VerifyClient | null };
  handleUpgrade: unknown;
}

/** The parts of an engine.io server, which socket.io runs on, that are used here. */
interface Engine {
  use(middleware: (request: EngineRequest, response: EngineResponse, next: () => void) => void): unknown;
}

interface EngineRequest extends IncomingMessage {
  /** The query as engine.io read it. */
  _query?: Record<string, string | undefined>;
}

/** Node's response to a polling request. For an upgrade it is a stub of engine.io, without `headersSent`, that sends nothing. */
interface EngineResponse {
  headersSent?: boolean;
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
}

/** The server that an adapter created; a namespace of socket.io refers to its server. */
type AnyServer = Partial<WsServer> & { engine?: Partial<Engine>; server?: { engine?: Partial<Engine> } };

/**
 * Refuses a WebSocket without a valid token at its handshake, so that no broadcast can reach its client. The response is that
 * of an HTTP route: 401 with the challenge in `WWW-Authenticate`, 403, 400, or 503 with `Retry-After`. It applies to all
 * gateways of the app. Call `acceptConnection` too: it ends the connection once the token is no longer valid, and the guard needs
 * it for messages of `ws`. The token is then verified twice.
 *
 * The handshake has headers, cookies and the query. `auth: { token }` of socket.io comes later: use
 * `handshakeMiddleware` for it, instead of this.
 *
 * Servers that the adapter creates are guarded, but not one that the app attaches to socket.io afterwards (`server.attach()`).
 *
 * An app's own `verifyClient` is called first, its own `allowRequest` afterwards; CORS preflights are answered as before. With
 * this function, engine.io refuses WebTransport.
 *
 * @param adapter a WsAdapter, an IoAdapter, or a subclass of one; it is changed, and returned
 * @param guard verifies the tokens; its `handleError` is called for each refusal, but what it returns is not sent
 * @param options the gateway whose decorators count
 * @throws KmsJwtOptionsError at start for servers other than those of `ws` and socket.io
 *
 * @example
 * ```ts
 * const app = await NestFactory.create(AppModule);
 * app.useWebSocketAdapter(guardHandshakes(new WsAdapter(app), app.get(KmsJwtGuard)));
 * ```
 */
export function guardHandshakes<Adapter extends WebSocketAdapter>(
  adapter: Adapter,
  guard: KmsJwtGuard,
  options: HandshakeOptions = {},
): Adapter {
  checkService(guard['jwt']);
  const create = adapter.create.bind(adapter) as (...args: Parameters<Adapter['create']>) => unknown;
  // Gateways may share a server: a namespace, or an option `server`.
  const guarded = new WeakSet<object>();
  adapter.create = (...args: Parameters<Adapter['create']>) => {
    const server = create(...args) as AnyServer;
    const engine = server.engine ?? server.server?.engine;
    if (engine?.use) once(engine, () => guardEngine(engine as Engine, guard, options));
    else if (isOfWs(server)) once(server, () => guardWs(server, guard, options));
    else throw new KmsJwtOptionsError('guardHandshakes', 'needs an adapter for ws or socket.io');
    return server;
  };
  return adapter;

  function once(server: object, guardIt: () => void): void {
    if (guarded.has(server)) return;
    guarded.add(server);
    guardIt();
  }
}

function isOfWs(server: AnyServer): server is WsServer {
  return typeof server.handleUpgrade === 'function' && typeof server.options === 'object';
}

function guardWs(server: WsServer, guard: KmsJwtGuard, options: HandshakeOptions): void {
  const own = server.options.verifyClient;

  // For a function of two parameters, `ws` waits for the callback.
  server.options.verifyClient = (info, done) => {
    if (!own) return void verify(info.req, done);
    const goOn: Done = (isVerified, ...answer) =>
      isVerified ? void verify(info.req, done) : done(false, ...answer);
    if (own.length === 2) return own.call(server.options, info, goOn);
    return goOn(Boolean((own as (argument: typeof info) => unknown).call(server.options, info)));
  };

  async function verify(request: IncomingMessage, done: Done): Promise<void> {
    const client = { request };
    rememberHandshake(client, request);
    const refused = await refusalOfHandshake(guard, client, options);
    try {
      if (!refused) return done(true);
      const { status, body, headers } = answerTo(refused.error);
      done(false, status, body, headers);
    } catch (error) {
      // A listener for the new connection has thrown.
      reportFailure(guard, error);
      request.socket.destroy();
    }
  }
}

function guardEngine(engine: Engine, guard: KmsJwtGuard, options: HandshakeOptions): void {
  engine.use((request, response, next) => {
    // A request with `sid` belongs to an admitted session, or engine.io refuses it; a handshake is a GET.
    const { _query: query, method } = request;
    if (query?.['sid'] || method !== 'GET') return next();
    const isUpgrade = !('headersSent' in response);
    // Nothing else listens for errors of the socket of an upgrade meanwhile: a client that resets it would end the process.
    if (isUpgrade) request.socket.on('error', () => request.socket.destroy());
    void verify(request, response, next, isUpgrade);
  });

  async function verify(
    request: EngineRequest,
    response: EngineResponse,
    next: () => void,
    isUpgrade: boolean,
  ): Promise<void> {
    const refused = await refusalOfHandshake(guard, clientOf(request), options);
    try {
      if (!refused) next();
      else if (isUpgrade) refuseUpgrade(request.socket, refused.error);
      else refuseRequest(response, refused.error);
    } catch (error) {
      reportFailure(guard, error);
      request.socket.destroy();
    }
  }
}

/** Has the same parts of the request as the later socket of socket.io. */
function clientOf(request: EngineRequest): object {
  const { headers, url, _query: query } = request;
  return { request, handshake: { headers, url, query, auth: {} } };
}

function refuseRequest(response: EngineResponse, error: unknown): void {
  const { status, body, headers } = answerTo(error);
  response.writeHead(status, headers);
  response.end(body);
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { status, body, headers } = answerTo(error);
  const lines = Object.entries({ Connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.once('finish', () => socket.destroy());
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'));
}

function answerTo(error: unknown) {
  const content = httpBody(error);
  const body = JSON.stringify(content);
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    ...headersOfRefusal(error),
  };
  return { status: content.statusCode, body, headers };
}
