import { type CanActivate, UseGuards } from '@nestjs/common';
import { ConnectedSocket, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  Claims,
  getKmsJwtServiceToken,
  type JwtClaims,
  KmsJwtGuard,
  type KmsJwtService,
  Public,
  type RouteVerifyOptions,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { startSockets, visitSocketIo } from './sockets.support.js';

describe('a socket.io message', () => {
  /** Holds messages between the guard and their handler. */
  class Gate implements CanActivate {
    static held: Promise<void>;
    static open: () => void;
    static arrived: () => void;
    static close() {
      Gate.held = new Promise((resolve) => (Gate.open = resolve));
      return new Promise<void>((resolve) => (Gate.arrived = resolve));
    }
    async canActivate() {
      Gate.arrived();
      await Gate.held;
      return true;
    }
  }

  const schema: RouteVerifyOptions['schema'] = {
    '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { sub: 'made by a schema' } }) },
  };

  @WebSocketGateway()
  @UseGuards(KmsJwtGuard)
  class InterleavingGateway {
    @UseGuards(KmsJwtGuard, Gate) @SubscribeMessage('held') held(@Claims('sub') sub?: string) {
      return { event: 'held', data: sub };
    }
    @Public() @SubscribeMessage('public') public(
      @ConnectedSocket() socket: { data: { user?: JwtClaims } },
      @Claims('sub') sub?: string,
    ) {
      return { event: 'other', data: [sub ?? 'nobody', socket.data.user?.sub ?? 'nobody'] };
    }
    @UseGuards(KmsJwtGuard.named('internal')) @SubscribeMessage('internal') internal(
      @Claims('sub') sub?: string,
    ) {
      return { event: 'other', data: sub };
    }
    @VerifyWith({ schema }) @SubscribeMessage('schema') schema(@Claims('sub') sub?: string) {
      return { event: 'other', data: sub };
    }
    @VerifyWith({ audience: 'nobody' }) @SubscribeMessage('refused') refused() {
      return { event: 'other' };
    }
  }

  test.each([
    ['public', { event: 'other', data: ['nobody', 'user-42'] }],
    ['internal', { event: 'other', data: 'service' }],
    ['schema', { event: 'other', data: 'made by a schema' }],
    ['refused', { event: 'exception', data: expect.objectContaining({ statusCode: 401 }) }],
  ])(
    'has its own claims, even if another message (%s) arrives between its guard and its handler',
    async (other, answer) => {
      const { app, url, jwt } = await startSockets('socket.io', [InterleavingGateway, Gate]);
      const internal = app.get<KmsJwtService>(getKmsJwtServiceToken('internal'), { strict: false });
      const client = visitSocketIo(url, {
        auth: {
          token: await jwt.sign({ sub: 'user-42' }),
          'x-internal': await internal.sign({ sub: 'service' }),
        },
      });
      const arrived = Gate.close();
      client.send('held');
      await arrived;
      client.send(other);
      expect(await client.next()).toEqual(answer);
      Gate.open();
      expect(await client.next()).toEqual({ event: 'held', data: 'user-42' });
    },
  );

  test('has no claims if it is public, although socket.data keeps those of an earlier message', async () => {
    let isRevoked = false;
    const { url, jwt } = await startSockets('socket.io', [InterleavingGateway, Gate], {
      isRevoked: () => isRevoked,
    });
    const client = visitSocketIo(url, { auth: { token: await jwt.sign({ sub: 'user-42' }) } });
    client.send('schema');
    expect(await client.next()).toEqual({ event: 'other', data: 'made by a schema' });
    isRevoked = true;
    client.send('schema');
    expect(await client.next()).toMatchObject({ event: 'exception', data: { errorCode: 'token_revoked' } });
    client.send('public');
    expect(await client.next()).toEqual({ event: 'other', data: ['nobody', 'made by a schema'] });
  });
});

describe('a socket.io handshake with more than 100 parameters', () => {
  @WebSocketGateway()
  @UseGuards(KmsJwtGuard)
  class OrdersGateway {
    @SubscribeMessage('orders') read(@Claims('sub') sub: string) {
      return { event: 'answer', data: sub };
    }
  }
  const tooMany = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, '']));

  test('is treated as one without parameters, except for auth.token', async () => {
    const { url, jwt } = await startSockets('socket.io', [OrdersGateway]);
    const token = await jwt.sign({ sub: 'user-42' });
    const inHeader = visitSocketIo(url, { auth: { ...tooMany, authorization: `Bearer ${token}` } });
    inHeader.send('orders');
    expect(await inHeader.next()).toMatchObject({ data: { errorCode: 'token_missing' } });

    const inToken = visitSocketIo(url, { auth: { ...tooMany, 'x-100': '', token } });
    inToken.send('orders');
    expect(await inToken.next()).toEqual({ event: 'answer', data: 'user-42' });
  });
});
