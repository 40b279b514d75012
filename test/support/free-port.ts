import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ephemeral ports, so that the system assigns none of these to a connection. */
const FIRST = 15_000;
const COUNT = 15_000;

/** A free port, for servers that cannot listen on port 0 and report the port. */
export async function freePort(): Promise<number> {
  const port = randomInt(FIRST, FIRST + COUNT);
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return freePort();
  }
  server.close();
  await once(server, 'close');
  return port;
}
