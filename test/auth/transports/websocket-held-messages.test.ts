import { once } from 'node:events';
import { type ExecutionContext, Inject, type INestApplication, Injectable, type Type } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { KmsJwtGuard } from 'nestjs-kms-jwt';
import { io } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { connectRaw, frameOf } from '../../support/raw-websocket.js';
import { startApp } from '../support.js';

const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let served: unknown[];

@WebSocketGateway()
class Gateway implements OnGatewayConnection {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  async handleConnection(client: { terminate?: unknown }, request: never) {
    await this.guard.acceptConnection(client, client.terminate ? { request } : {});
  }
  // Without a guard: messages of a refused client must not get here.
  @SubscribeMessage('order') order(_client: object, data: unknown) {
    served.push(data);
    return { event: 'answer', data };
  }
}

/** A second gateway on the same server, which verifies the client itself. */
@WebSocketGateway()
class SecondGateway extends Gateway {
  @SubscribeMessage('other') other() {}
}
Reflect.defineMetadata('self:paramtypes', Reflect.getMetadata('self:paramtypes', Gateway), SecondGateway);

async function start(
  kind: 'ws' | 'socket.io',
  isRevoked: () => Promise<boolean>,
  gateways: Type[] = [Gateway],
) {
  served = [];
  return startApp({
    providers: [KmsJwtGuard, ...gateways],
    options: { isRevoked },
    prepare: (app: INestApplication) =>
      app.useWebSocketAdapter(kind === 'ws' ? new WsAdapter(app) : new IoAdapter(app)),
  });
}

const slowly = (answer: boolean) => async () => {
  await nap(200);
  return answer;
};

const FRAMES = ['first', 'second'].map((data) => frameOf(JSON.stringify({ event: 'order', data })));

describe('the messages of a ws client', () => {
  test('are dropped if they arrive with a handshake without a token', async () => {
    const { url } = await start('ws', async () => false);
    const socket = await connectRaw(url, {}, FRAMES);
    await Promise.race([once(socket, 'end'), once(socket, 'close'), nap(1000)]);
    expect(served).toEqual([]);
  });

  test('are dropped if its token is revoked, and the connection is closed', async () => {
    const { url, jwt } = await start('ws', slowly(true));
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${await jwt.sign({})}` } });
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    for (let index = 0; index < 5; index += 1) socket.send(JSON.stringify({ event: 'order', data: index }));
    const [code] = (await once(socket, 'close')) as [number];
    await nap(50);
    expect(code).toBe(1008);
    expect(served).toEqual([]);
  });

  test('are dropped if it resets the connection before its token is verified', async () => {
    const { url, jwt } = await start('ws', slowly(true));
    const authorization = `Bearer ${await jwt.sign({})}`;
    const socket = await connectRaw(url, { authorization }, FRAMES);
    socket.resetAndDestroy();
    await nap(300);
    expect(served).toEqual([]);
  });

  test('are dropped after a reset, even if acceptConnection was called without a request', async () => {
    @Injectable()
    class SubprotocolGuard extends KmsJwtGuard {
      protected override getToken(context: ExecutionContext) {
        return context.switchToWs().getClient<{ protocol: string }>().protocol;
      }
    }
    @WebSocketGateway()
    class SubprotocolGateway {
      constructor(@Inject(SubprotocolGuard) private readonly guard: KmsJwtGuard) {}

      async handleConnection(client: object) {
        await this.guard.acceptConnection(client);
      }
      @SubscribeMessage('order') order(_client: object, data: unknown) {
        served.push(data);
      }
    }
    const { url, jwt } = await start('ws', slowly(true), [SubprotocolGuard, SubprotocolGateway]);
    const socket = await connectRaw(url, { 'sec-websocket-protocol': await jwt.sign({}) }, FRAMES);
    socket.resetAndDestroy();
    await nap(300);
    expect(served).toEqual([]);
  });

  test.each([
    ['one gateway', [Gateway]],
    ['two gateways', [Gateway, SecondGateway]],
  ])('are handled in order once its token is verified: %s', async (_, gateways) => {
    const { url, jwt } = await start('ws', slowly(false), gateways);
    const socket = await connectRaw(url, { authorization: `Bearer ${await jwt.sign({})}` }, FRAMES);
    await nap(100);
    expect(served).toEqual([]);
    await once(socket, 'data');
    await nap(50);
    expect(
      served.slice(0, 2 * gateways.length).filter((_data, index) => index % gateways.length === 0),
    ).toEqual(['first', 'second']);
  });
});

async function connectSocketIo(url: string, token: string) {
  const socket = io(url, {
    auth: { token },
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  onTestFinished(() => void socket.close());
  for (let index = 0; index < 6; index += 1) socket.emit('order', index);
  return socket;
}

describe('the messages of a socket.io client', () => {
  test('are dropped if its token is revoked', async () => {
    const { url, jwt } = await start('socket.io', slowly(true));
    const socket = await connectSocketIo(url, await jwt.sign({}));
    await new Promise((resolve) => socket.on('disconnect', resolve));
    await nap(50);
    expect(served).toEqual([]);
  });

  test('are handled in order once its token is verified', async () => {
    const { url, jwt } = await start('socket.io', slowly(false));
    const socket = await connectSocketIo(url, await jwt.sign({}));
    await nap(150);
    expect(served).toEqual([]);
    await new Promise((resolve) => socket.on('answer', resolve));
    socket.emit('order', 6);
    await nap(50);
    expect(served).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('disconnect it if they flood the server before its token is verified', async () => {
    const { url, jwt } = await start('socket.io', slowly(false));
    const socket = await connectSocketIo(url, await jwt.sign({}));
    for (let index = 0; index < 200; index += 1) socket.emit('order', index);
    await new Promise((resolve) => socket.on('disconnect', resolve));
    expect(served).toEqual([]);
  });
});
