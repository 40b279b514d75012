import type { IncomingMessage } from 'node:http';
import { Inject, UseGuards } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { KmsJwtGuard, VerifyWith } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { startSockets, visitSocketIo, visitWs } from './sockets.support.js';

@VerifyWith({ audience: 'sockets' })
@WebSocketGateway()
class ConnectionGateway {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  @VerifyWith({ requiredClaims: ['jti'] })
  async handleConnection(client: WebSocket, request: IncomingMessage) {
    const isOfWs = typeof client.terminate === 'function';
    const claims = await this.guard.acceptConnection(client, { ...(isOfWs && { request }), gateway: this });
    if (!claims) return;
    if (isOfWs) client.send('{"event":"welcome"}');
    else client.emit('welcome');
  }
}

@VerifyWith({ audience: 'sockets' })
@UseGuards(KmsJwtGuard)
@WebSocketGateway()
class MessageGateway {
  @VerifyWith({ requiredClaims: ['jti'] }) @SubscribeMessage('read') read() {
    return { event: 'welcome' };
  }
}

const OUTCOMES = [
  { claims: { aud: 'sockets', jti: '1' }, event: 'welcome' },
  { claims: { aud: 'orders', jti: '1' }, event: 'exception' },
  { claims: { aud: 'sockets' }, event: 'exception' },
];

test.each(['ws', 'socket.io'] as const)(
  'a %s connection must meet @VerifyWith() of the gateway and of handleConnection',
  async (kind) => {
    const { url, jwt } = await startSockets(kind, [ConnectionGateway]);
    for (const { claims, event } of OUTCOMES) {
      const authorization = `Bearer ${await jwt.sign(claims)}`;
      const client =
        kind === 'ws' ? visitWs(url, { authorization }) : visitSocketIo(url, { auth: { authorization } });
      expect((await client.next()).event).toBe(event);
    }
  },
);

test('a message must meet @VerifyWith() of the gateway and of its handler', async () => {
  const { url, jwt } = await startSockets('socket.io', [MessageGateway]);
  for (const { claims, event } of OUTCOMES) {
    const client = visitSocketIo(url, { auth: { token: await jwt.sign(claims) } });
    client.send('read');
    expect((await client.next()).event).toBe(event);
  }
});
