import type { IncomingMessage } from 'node:http';
import { Inject, UseGuards } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { ConnectedSocket, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, fromAuthHeader, fromQuery, type JwtClaims, KmsJwtGuard, Public } from 'nestjs-kms-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { socketIoClient, wsClient } from './websocket.js';
import { start } from './support.js';

describe('a ws socket', () => {
  @UseGuards(KmsJwtGuard)
  @WebSocketGateway()
  class UnacceptingGateway {
    @SubscribeMessage('guarded') read() {
      return { event: 'answer' };
    }
    @Public() @SubscribeMessage('open') open() {
      return { event: 'answer' };
    }
  }

  test('has no token without acceptConnection: each message receives one refusal', async () => {
    const { url, jwt } = await start({
      providers: [UnacceptingGateway],
      newAdapter: (app) => new WsAdapter(app),
    });
    const client = wsClient(url, { authorization: `Bearer ${await jwt.sign({})}` });
    onTestFinished(() => client.leave());
    await client.connected();
    const refusal = {
      event: 'exception',
      data: {
        status: 'error',
        statusCode: 401,
        message: 'The request carries no bearer token',
        errorCode: 'token_missing',
      },
    };
    for (const [event, expected] of [
      ['guarded', refusal],
      ['guarded', refusal],
      ['open', { event: 'answer' }],
    ] as const) {
      client.send(event);
      expect(await client.next()).toEqual(expected);
    }
  });
});

describe('a connection', () => {
  let revoked = false;

  @WebSocketGateway()
  class WsGateway {
    constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}
    async handleConnection(client: WebSocket, request: IncomingMessage) {
      if (await this.guard.acceptConnection(client, { request })) client.send('{"event":"welcome"}');
    }
    @UseGuards(KmsJwtGuard) @SubscribeMessage('orders') read() {
      return { event: 'answer' };
    }
  }

  test('is refused its messages once its token is revoked', async () => {
    revoked = false;
    const { url, jwt } = await start({
      providers: [WsGateway],
      options: { isRevoked: () => revoked },
      newAdapter: (app) => new WsAdapter(app),
    });
    const client = wsClient(url, { authorization: `Bearer ${await jwt.sign({})}` });
    onTestFinished(() => client.leave());
    expect(await client.next()).toEqual({ event: 'welcome' });
    client.send('orders');
    expect(await client.next()).toEqual({ event: 'answer' });
    revoked = true;
    client.send('orders');
    expect(await client.next()).toMatchObject({ event: 'exception', data: { errorCode: 'token_revoked' } });
  });

  @UseGuards(KmsJwtGuard)
  @WebSocketGateway()
  class SocketIoGateway {
    @SubscribeMessage('orders') read(@ConnectedSocket() socket: { data: { user: JwtClaims } }) {
      return { event: 'answer', data: socket.data.user.sub };
    }
    @Public() @SubscribeMessage('open') open(@Claims('sub') sub?: string) {
      return { event: 'answer', data: sub ?? 'nobody' };
    }
  }

  test('of socket.io has its claims at socket.data.user, but gives none to public messages', async () => {
    const { url, jwt } = await start({
      providers: [SocketIoGateway],
      newAdapter: (app) => new IoAdapter(app),
    });
    const client = socketIoClient(url, { auth: { token: await jwt.sign({ sub: 'user-42' }) } });
    onTestFinished(() => client.leave());
    client.send('orders');
    expect(await client.next()).toEqual({ event: 'answer', data: 'user-42' });

    // A public message verifies no token, so the claims of an earlier message may no longer be valid.
    client.send('open');
    expect(await client.next()).toEqual({ event: 'answer', data: 'nobody' });
  });

  test.each<[string, (token: string) => Parameters<typeof socketIoClient>[1]]>([
    [
      'in auth and in a header',
      (token) => ({ auth: { token }, extraHeaders: { authorization: `Bearer ${token}` } }),
    ],
    ['twice in auth', (token) => ({ auth: { token, authorization: `Bearer ${token}` } })],
    ['in auth and in the query', (token) => ({ auth: { token }, query: { access_token: token } })],
  ])('is refused with tokens %s', async (_, optionsWith) => {
    const { url, jwt } = await start({
      providers: [SocketIoGateway],
      options: { guard: { tokenFrom: [fromAuthHeader(), fromQuery('access_token')] } },
      newAdapter: (app) => new IoAdapter(app),
    });
    const client = socketIoClient(url, optionsWith(await jwt.sign({})));
    onTestFinished(() => client.leave());
    client.send('orders');
    expect(await client.next()).toMatchObject({
      event: 'exception',
      data: { statusCode: 400, errorCode: 'token_ambiguous' },
    });
  });
});
