import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MAX_BODY_BYTES, type Wire } from './wire.js';

/**
 * The HTTP server of a {@link LocalKms}.
 *
 * @example
 * ```ts
 * const server: LocalKmsServer = await localKms.listen();
 * const client = new KMSClient({
 *   endpoint: server.url,
 *   region: 'us-east-1',
 *   credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
 * });
 * ```
 */
export interface LocalKmsServer {
  /** The endpoint, such as `'http://127.0.0.1:49152'`: the value for `AWS_ENDPOINT_URL_KMS`. */
  readonly url: string;
  /** The port it listens on. */
  readonly port: number;
  /**
   * Stops listening and closes every connection at once, including those with a pending request.
   *
   * @example
   * ```ts
   * const server = await localKms.listen();
   * afterAll(() => server.close());
   * ```
   */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1. @throws Error (rejects with) if the port is in use */
export async function listen(wire: Wire, port: number): Promise<LocalKmsServer> {
  const server = createServer((request, response) => void serve(wire, request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const closed = once(server, 'close');

  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    async close() {
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(wire: Wire, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    if (!isFromThisMachine(request)) {
      response
        .writeHead(403)
        .end('LocalKms accepts requests from programs on this machine only, not from web pages.\n');
      return;
    }
    const body = await readBody(request);
    const answer = await wire.answer(
      { method: request.method ?? '', headers: request.headers, body },
      gone.signal,
    );
    response.writeHead(answer.statusCode, answer.headers).end(answer.body);
  } catch {
    // The client disconnected, or a fault ends the connection without a response.
    request.socket.destroy();
  }
}

// A web page can reach 127.0.0.1 through DNS rebinding, and could then sign with the developer's keys.
function isFromThisMachine({ headers }: IncomingMessage): boolean {
  return headers.origin === undefined && /^(127\.0\.0\.1|localhost)(:\d+)?$/i.test(headers.host ?? '');
}

/** Reads the body. Of a body over the limit, keeps just enough to exceed it. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks);
}
