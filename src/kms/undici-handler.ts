import { Agent, type Dispatcher } from 'undici';
import type { Deadline } from '../async/deadline.js';

/** Idle connections stay open until the server closes them, as with the SDK's own handler, or for this long, in milliseconds. */
const KEEP_ALIVE_MS = 600_000;

/** A request as the SDK passes it to the handler. */
interface HttpRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array;
}

interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

interface HandlerOptions {
  /** An AbortSignal. The SDK's type also allows its own class, from before Node had AbortSignal. */
  readonly abortSignal?: unknown;
}

export interface UndiciHandlerSettings {
  /** The maximum number of connections to each origin. */
  readonly maxConnections: number;
  /** The time limit for connecting, and for each answer to a request without its own deadline, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Sends the requests of the SDK with undici, which takes less CPU time than node:http (`npm run bench -- sign`). An Agent has
 * connections for each origin: the SDK's STS client uses the handler, too.
 */
export class UndiciHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' } as const;
  private readonly agent: Agent;
  private readonly deadlines = new WeakMap<object, Deadline>();

  constructor(private readonly settings: UndiciHandlerSettings) {
    const { maxConnections, timeoutMs } = settings;
    this.agent = new Agent({
      connections: maxConnections,
      connect: { timeout: timeoutMs },
      keepAliveTimeout: KEEP_ALIVE_MS,
    });
  }

  /** Makes the deadline the only time limit of a request. */
  limit(request: object, deadline: Deadline): void {
    this.deadlines.set(request, deadline);
  }

  async handle(
    request: HttpRequest,
    { abortSignal }: HandlerOptions = {},
  ): Promise<{ response: HttpResponse }> {
    const deadline = this.deadlines.get(request);
    const timeout = deadline ? 0 : this.settings.timeoutMs;
    const options: Dispatcher.DispatchOptions = {
      origin: originOf(request),
      path: pathOf(request),
      method: request.method,
      headers: request.headers,
      body: request.body ?? null,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    };
    const exchange = new Exchange(deadline, abortSignal as AbortSignal | undefined);
    this.agent.dispatch(options, exchange);
    return { response: await exchange.response };
  }

  /** Has no effect: the constructor has configured the handler. */
  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  destroy(): void {
    void this.agent.destroy();
  }
}

/** One request and its answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly response: Promise<HttpResponse>;
  private resolve!: (response: HttpResponse) => void;
  private reject!: (error: Error) => void;
  private controller: Dispatcher.DispatchController | undefined;
  private reason: Error | undefined;
  private statusCode = 0;
  private headers: Record<string, string> = {};
  private readonly chunks: Buffer[] = [];
  private readonly removeListener: (() => void) | undefined;

  constructor(
    deadline: Deadline | undefined,
    private readonly abortSignal: AbortSignal | undefined,
  ) {
    this.response = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.removeListener = deadline?.onPassed(this.abort);
    if (abortSignal?.aborted) this.abort();
    else abortSignal?.addEventListener('abort', this.abort, { once: true });
  }

  private readonly abort = (): void => {
    this.reason = Object.assign(new Error('Request aborted'), { name: 'AbortError' });
    this.controller?.abort(this.reason);
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.reason) controller.abort(this.reason);
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.statusCode = statusCode;
    this.headers = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : (value ?? ''),
      ]),
    );
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.end();
    const [first] = this.chunks;
    const body = this.chunks.length === 1 && first ? first : Buffer.concat(this.chunks);
    this.resolve({ statusCode: this.statusCode, headers: this.headers, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.end();
    this.reject(asNodeError(error));
  }

  private end(): void {
    this.removeListener?.();
    this.abortSignal?.removeEventListener('abort', this.abort);
  }
}

/** The codes of undici's errors, and the codes of Node for them, which the SDK and kms-errors.ts know. */
const NODE_CODES: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'ETIMEDOUT',
  UND_ERR_HEADERS_TIMEOUT: 'ETIMEDOUT',
  UND_ERR_BODY_TIMEOUT: 'ETIMEDOUT',
  UND_ERR_SOCKET: 'ECONNRESET',
};
/** Errors with these codes are renamed as by the SDK's own handler, so that the SDK retries. */
const TRANSIENT = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

function asNodeError(error: Error & { code?: string }): Error {
  const code = error.code === undefined ? undefined : (NODE_CODES[error.code] ?? error.code);
  if (code === undefined || !TRANSIENT.has(code)) return error;
  return Object.assign(new Error(error.message, { cause: error }), { name: 'TimeoutError', code });
}

function originOf({ protocol, hostname, port }: HttpRequest): string {
  return port === undefined ? `${protocol}//${hostname}` : `${protocol}//${hostname}:${port}`;
}

function pathOf({ path, query }: HttpRequest): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    [value ?? ''].flat().map((one) => [name, one] as [string, string]),
  );
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs).toString()}`;
}
