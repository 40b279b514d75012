import { Controller, Get, Inject, Injectable, Sse, UseGuards } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type JwtClaims, KmsJwtGuard, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { interval, map } from 'rxjs';
import { io } from 'socket.io-client';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { bearer, startApp } from '../support.js';

const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const passed = async (seconds: number) => nap(Math.max(0, seconds * 1000 - Date.now() + 20));
/** The `exp` of the next token: the checks of the app end after it. */
let exp: number;
let served: unknown[];

beforeEach(() => {
  exp = Math.ceil(Date.now() / 1000 + 0.2);
  served = [];
});

const slowRevocation = {
  isRevoked: async () => {
    await passed(exp);
    return false;
  },
} satisfies Partial<KmsJwtModuleOptions>;

/** Loads a user after the token has been verified, which takes a while. */
@Injectable()
class UserGuard extends KmsJwtGuard {
  protected override async authenticate(...args: Parameters<KmsJwtGuard['authenticate']>) {
    const claims = await super.authenticate(...args);
    await passed(exp);
    return claims;
  }
}

@Controller()
@UseGuards(KmsJwtGuard)
class Routes {
  @Get('orders') orders() {
    served.push('orders');
    return [];
  }
}

@Controller()
@UseGuards(UserGuard)
class Events {
  @Sse('events') events() {
    served.push('events');
    return interval(10).pipe(map(() => ({ data: 'x' })));
  }
}

test('a token that expires while isRevoked runs is refused', async () => {
  const { get, jwt } = await startApp({ controllers: [Routes], options: slowRevocation });
  const response = await get('/orders', bearer(await jwt.sign({ exp })));
  expect([response.status, await response.json()]).toMatchObject([401, { errorCode: 'token_expired' }]);
  expect(served).toEqual([]);
});

test('an event stream whose token expires while its user is loaded is refused', async () => {
  const { get, jwt } = await startApp({ controllers: [Events], providers: [UserGuard] });
  const response = await get('/events', bearer(await jwt.sign({ exp })));
  expect([response.status, await response.json()]).toMatchObject([401, { errorCode: 'token_expired' }]);
  expect(served).toEqual([]);
});

function connectWs(url: string, token: string) {
  const socket = new WebSocket(url, { headers: bearer(token) });
  onTestFinished(() => socket.terminate());
  socket.on('open', () => socket.send(JSON.stringify({ event: 'order', data: 'early' })));
  return new Promise((resolve) => socket.on('close', (_code, reason) => resolve(reason.toString())));
}

function connectIo(url: string, token: string) {
  const socket = io(url, {
    auth: { token },
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  onTestFinished(() => void socket.close());
  socket.emit('order', 'early');
  return new Promise((resolve) =>
    socket.on('exception', ({ errorCode }: { errorCode: string }) => resolve(errorCode)),
  );
}

describe.each(['ws', 'socket.io'])('a %s connection', (kind) => {
  async function connect(Guard: typeof KmsJwtGuard, options: Partial<KmsJwtModuleOptions>) {
    let accepted: JwtClaims | undefined | 'pending' = 'pending';
    @WebSocketGateway()
    class Gateway {
      constructor(@Inject(Guard) private readonly guard: KmsJwtGuard) {}
      async handleConnection(client: { terminate?: unknown }, request: never) {
        accepted = await this.guard.acceptConnection(client, client.terminate ? { request } : {});
      }
      @SubscribeMessage('order') order(_client: object, data: unknown) {
        served.push(data);
      }
    }
    const { jwt, url } = await startApp({
      providers: [Guard, Gateway],
      options,
      prepare: (app) => app.useWebSocketAdapter(kind === 'ws' ? new WsAdapter(app) : new IoAdapter(app)),
    });
    const token = await jwt.sign({ exp });
    const closed = kind === 'ws' ? connectWs(url, token) : connectIo(url, token);
    return { reason: await closed, accepted, served };
  }

  const expired = { reason: 'token_expired', accepted: undefined, served: [] };

  test('whose token expires while isRevoked runs is refused, and its messages are dropped', async () => {
    expect(await connect(KmsJwtGuard, slowRevocation)).toEqual(expired);
  });

  test('whose token expires while its user is loaded is refused, and its messages are dropped', async () => {
    expect(await connect(UserGuard, {})).toEqual(expired);
  });

  test('is refused after a timeout when authenticate never settles', async () => {
    @Injectable()
    class HangingGuard extends KmsJwtGuard {
      protected override authenticate() {
        return new Promise<JwtClaims>(() => {});
      }
    }
    const late = { ...expired, reason: 'authentication_timeout' };
    expect(await connect(HangingGuard, { limits: { timeout: 20 } })).toEqual(late);
  });
});
