import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MAX_BODY_BYTES, type Wire } from './wire.js';

/** A {@link LocalKms} that listens. */
export interface LocalKmsServer {
  /** Where it listens, as `'http://127.0.0.1:49152'`: the value for `AWS_ENDPOINT_URL_KMS`. */
  readonly url: string;
  /** The port it listens on. */
  readonly port: number;
  /** Stops listening and ends every connection at once, with requests that are not answered yet. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1. Rejects when the port is taken. */
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
      response.writeHead(403).end('LocalKms answers programs on this machine, and no web pages.\n');
      return;
    }
    const body = await readBody(request);
    const answer = await wire.answer(
      { method: request.method ?? '', headers: request.headers, body },
      gone.signal,
    );
    response.writeHead(answer.statusCode, answer.headers).end(answer.body);
  } catch {
    // The client has gone, or a fault says that the connection ends without an answer.
    request.socket.destroy();
  }
}

// A web page can reach loopback through a host name of its own, and would sign with the developer's keys.
function isFromThisMachine({ headers }: IncomingMessage): boolean {
  return headers.origin === undefined && /^(127\.0\.0\.1|localhost)(:\d+)?$/i.test(headers.host ?? '');
}

/** Reads the body, and keeps no more of one that is too large than shows that it is. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks);
}
