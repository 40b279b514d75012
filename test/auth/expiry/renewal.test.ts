import { Inject, type Type, UseGuards } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, KmsJwtGuard, Scopes, VerifyWith } from 'nestjs-kms-jwt';
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

interface Disconnectable {
  disconnect(): void;
}

/** A second gateway on the same server. */
@VerifyWith({ audience: 'admin' })
@WebSocketGateway()
class AdminGateway {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  async handleConnection(client: object) {
    await this.guard.acceptConnection(client, { gateway: this });
  }
  @SubscribeMessage('admin') admin() {}
}

/** A third gateway, which accepts tokens for one minute only. */
@VerifyWith({ maxAge: 60 })
@WebSocketGateway()
class StrictGateway extends AdminGateway {
  @SubscribeMessage('strict') strict() {}
}
Reflect.defineMetadata(
  'self:paramtypes',
  Reflect.getMetadata('self:paramtypes', AdminGateway),
  StrictGateway,
);

async function connect(claims: object, gateways: Type[] = [Gateway]) {
  const { url, jwt } = await startApp({
    providers: [KmsJwtGuard, ...gateways],
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

test('a renewal needs the scopes of the gateway', async () => {
  const { jwt, ask } = await connect({ sub: 'user-42' });
  expect(await ask('renew', await jwt.sign({ sub: 'user-42' }))).toBe(
    'The request needs the scope orders:read',
  );
  expect(await ask('renew', await jwt.sign({ sub: 'user-42', scope: 'orders:read' }))).toBe('renewed');
});

test.each([
  ['first', [AdminGateway, Gateway]],
  ['last', [Gateway, AdminGateway]],
])(
  'a renewal must meet the requirements of every gateway of the connection: the strict one %s',
  async (_, gateways) => {
    const { jwt, ask } = await connect({ sub: 'user-42', aud: 'admin' }, gateways);
    const renewed = { sub: 'user-42', scope: 'orders:read' };
    expect(await ask('renew', await jwt.sign({ ...renewed, aud: 'shop' }))).toBe(
      'The aud claim does not match the expected audience',
    );
    expect(await ask('renew', await jwt.sign({ ...renewed, aud: 'admin' }))).toBe('renewed');
  },
);

test('a token without a sub cannot renew a connection, because it may belong to another user', async () => {
  const { jwt, ask } = await connect({});
  const token = await jwt.sign({ scope: 'orders:read' });
  expect(await ask('renew', token)).toBe('The sub claim does not match the connection');
});

test('deleting the token from the handshake logs the client out, even after a renewal', async () => {
  const { jwt, ask, socket, refusal } = await connect({ sub: 'user-42', jti: 'first' });
  expect(await ask('renew', await jwt.sign({ sub: 'user-42', scope: 'orders:read', jti: 'second' }))).toBe(
    'renewed',
  );
  expect(await ask('me')).toBe('second');
  expect(await ask('logout')).toBe('logged out');
  socket.emit('me');
  expect(await refusal).toMatchObject({ errorCode: 'token_missing' });
});

test.each([
  ['first', [StrictGateway, Gateway]],
  ['last', [Gateway, StrictGateway]],
])('a connection ends at the shortest maxAge of its gateways: the strict one %s', async (_, gateways) => {
  const now = Math.floor(Date.now() / 1000);
  const { socket, refusal } = await connect({ aud: 'admin', iat: now - 58, exp: now + 600 }, gateways);
  expect(await refusal).toMatchObject({ errorCode: 'token_expired' });
  expect(socket.connected).toBe(false);
});

test('a renewed connection ends at the shortest maxAge of its gateways', async () => {
  const { jwt, ask, refusal } = await connect({ sub: 'user-42', aud: 'admin' }, [StrictGateway, Gateway]);
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: 'user-42', aud: 'admin', scope: 'orders:read', iat: now - 58, exp: now + 600 };
  const token = await jwt.sign(claims);
  expect(await ask('renew', token)).toBe('renewed');
  expect(await refusal).toMatchObject({ errorCode: 'token_expired' });
});

test('a closed connection cannot be renewed', async () => {
  let answer: Promise<unknown> | undefined;
  @WebSocketGateway()
  class ClosingGateway {
    constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

    async handleConnection(client: object) {
      await this.guard.acceptConnection(client);
    }
    @SubscribeMessage('close') close(
      @ConnectedSocket() client: Disconnectable,
      @MessageBody() token: string,
    ) {
      client.disconnect();
      answer = this.guard.renewConnection(client, token).catch((error: Error) => error.message);
    }
  }
  const { jwt, socket } = await connect({ sub: 'user-42' }, [ClosingGateway]);
  socket.emit('close', await jwt.sign({ sub: 'user-42' }));
  await expect.poll(() => answer).toBeDefined();
  expect(await answer).toContain('needs an open connection');
});
