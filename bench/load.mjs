// A client for HTTP/1.1 that costs little CPU, because the server is measured, not the client.
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { percentiles, perSecond } from './timing.mjs';

/**
 * Sends GET requests for the given time, one after the other on each connection.
 *
 * @param {object} options
 * @param {number} options.port
 * @param {string} options.path
 * @param {readonly string[]} options.tokens the bearer tokens, of which each request has the next
 * @param {number} options.connections
 * @param {number} options.milliseconds
 * @throws Error (rejects with) at the first response that is not 200
 */
export async function load({ port, path, tokens, connections, milliseconds }) {
  const latencies = [];
  let next = 0;
  const startedAt = performance.now();
  const connection = async () => {
    const client = await HttpConnection.open(port);
    while (performance.now() - startedAt < milliseconds) {
      const token = tokens[next % tokens.length];
      next += 1;
      const sentAt = performance.now();
      const status = await client.get(path, token);
      latencies.push(performance.now() - sentAt);
      if (status !== 200) throw new Error(`${path} answered ${status}`);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return { rate: perSecond(latencies.length, startedAt), ...percentiles(latencies) };
}

/** A persistent connection with one request at a time. Responses need a Content-Length. */
export class HttpConnection {
  #socket;
  #received = '';
  #resolve;
  #reject;

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text) => this.#onData(text));
    socket.on('error', (error) => this.#reject?.(error));
    socket.on('close', () => this.#reject?.(new Error('The server closed a connection')));
  }

  /** @param {number} port on this machine */
  static async open(port) {
    const socket = createConnection(port, '127.0.0.1');
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  /**
   * @param {string} path
   * @param {string} token
   * @returns {Promise<number>} the status
   */
  get(path, token) {
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      'latin1',
    );
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  close() {
    this.#reject = undefined;
    this.#socket.destroy();
  }

  #onData(text) {
    this.#received += text;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const [, length] = /\r\ncontent-length: (\d+)/i.exec(this.#received) ?? [];
    if (length === undefined) this.#reject(new Error('A response has no Content-Length'));
    else if (this.#received.length >= end + 4 + Number(length)) {
      const status = Number(this.#received.slice(9, 12));
      this.#received = '';
      this.#resolve(status);
    }
  }
}
