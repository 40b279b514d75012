import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { listen } from './support.js';

const { server } = await listen();

function listeners(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPServerWrap').length;
}

describe('listen', () => {
  test('listens on 127.0.0.1, on a free port by default', () => {
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  });

  test('close ends kept-alive connections at once and leaves no listener behind', async () => {
    const before = listeners();
    const listener = await new LocalKms().listen();
    expect(listeners()).toBe(before + 1);
    const agent = new Agent({ keepAlive: true });
    const sent = request(listener.url, { agent }).end();
    const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
    await once(response.resume(), 'end');
    const closed = once(sent.socket!, 'close');

    const start = performance.now();
    await listener.close();
    expect(performance.now() - start).toBeLessThan(500);
    await expect.poll(listeners).toBe(before);
    await closed;
    await expect(fetch(listener.url)).rejects.toThrow('fetch failed');
    await listener.close();
  });

  test('listens on the given port, and rejects if it is in use or out of range', async () => {
    const other = new LocalKms();
    await expect(other.listen(server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(other.listen(70_000)).rejects.toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });

    const first = await other.listen();
    await first.close();
    const second = await other.listen(first.port);
    expect(second.port).toBe(first.port);
    await second.close();
  });
});
