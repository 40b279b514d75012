import { Inject, UseGuards } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { io } from 'socket.io-client';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../support.js';

interface Socket {
  handshake: { auth: { token?: string } };
}

@Scopes('orders:read')
@WebSocketGateway()
class Gateway {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  async handleConnection(client: object) {
    await this.guard.acceptConnection(client, { gateway: this });
  }
  @UseGuards(KmsJwtGuard) @SubscribeMessage('me') me(@Claims('jti') jti: string) {
    return jti;
  }
  @SubscribeMessage('renew') async renew(@ConnectedSocket() client: object, @MessageBody() token: string) {
    return this.guard.renewConnection(client, token).then(
      () => 'renewed',
      (error: Error) => error.message,
    );
  }
  @SubscribeMessage('logout') logout(@ConnectedSocket() { handshake }: Socket) {
    delete handshake.auth.token;
    return 'logged out';
  }
}

async function connect(claims: object) {
  const { url, jwt } = await startApp({
    providers: [KmsJwtGuard, Gateway],
    prepare: (app) => app.useWebSocketAdapter(new IoAdapter(app)),
  });
  const token = await jwt.sign({ scope: 'orders:read', ...claims });
  const socket = io(url, { auth: { token }, transports: ['websocket'], reconnection: false, forceNew: true });
  onTestFinished(() => void socket.close());
  const refusal = new Promise((resolve) => socket.on('exception', resolve));
  const ask = (event: string, data?: unknown) =>
    socket.timeout(5000).emitWithAck(event, data) as Promise<string>;
  return { jwt, socket, ask, refusal };
}

test('a renewal needs the scopes of the gateway, as the connection did', async () => {
  const { jwt, ask } = await connect({ sub: 'user-42' });
  expect(await ask('renew', await jwt.sign({ sub: 'user-42' }))).toBe(
    'The request needs the scope orders:read',
  );
  expect(await ask('renew', await jwt.sign({ sub: 'user-42', scope: 'orders:read' }))).toBe('renewed');
});

test('a token without a subject renews no connection: it may be of another user', async () => {
  const { jwt, ask } = await connect({});
  const token = await jwt.sign({ scope: 'orders:read' });
  expect(await ask('renew', token)).toBe('The sub claim does not match the connection');
});

test('a logout by the handshake counts after a renewal too', async () => {
  const { jwt, ask, socket, refusal } = await connect({ sub: 'user-42', jti: 'first' });
  expect(await ask('renew', await jwt.sign({ sub: 'user-42', scope: 'orders:read', jti: 'second' }))).toBe(
    'renewed',
  );
  expect(await ask('me')).toBe('second');
  expect(await ask('logout')).toBe('logged out');
  socket.emit('me');
  expect(await refusal).toMatchObject({ errorCode: 'token_missing' });
});
