import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems give to connections: nothing takes one of these by chance. */
const FIRST = 15_000;
const COUNT = 15_000;

/** A port for servers that do not tell which one they were given. */
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
