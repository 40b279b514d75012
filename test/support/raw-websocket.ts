import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A text frame of a client, masked with zeros (RFC 6455, section 5.2), for messages of up to 125 bytes. */
export function frameOf(message: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0]), Buffer.from(message)]);
}

/** Opens a WebSocket that never answers a close frame, and sends the frames in the packet of the handshake. */
export async function connectRaw(
  url: string,
  headers: Record<string, string>,
  frames: readonly Buffer[] = [],
): Promise<Socket> {
  const request = httpRequest(url, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      'sec-websocket-version': '13',
      ...headers,
    },
  });
  request.on('socket', (socket) => {
    socket.on('connect', () => {
      socket.cork();
      process.nextTick(() => {
        for (const frame of frames) socket.write(frame);
        socket.uncork();
      });
    });
  });
  request.end();
  const [, socket] = (await once(request, 'upgrade')) as [unknown, Socket];
  onTestFinished(() => void socket.destroy());
  return socket;
}
