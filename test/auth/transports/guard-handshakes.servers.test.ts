import type { IncomingMessage } from 'node:http';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import { guardHandshakes, KmsJwtGuard } from 'nestjs-kms-jwt';
import { beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../../support/free-port.js';
import { bearer, startApp } from '../support.js';
import {
  expectNoFailures,
  handshake,
  handshakeOf,
  nap,
  startGuarded,
  type Way,
  WAYS,
} from './handshakes.support.js';

const ADMITTED = { status: 'admitted' };

expectNoFailures();

describe("the app's own check of a handshake", () => {
  const STRANGE = 'x-strange';
  let asked: string[];
  beforeEach(() => (asked = []));

  /** Refuses a request that has the header. */
  const isFine = ({ headers }: IncomingMessage) => {
    asked.push('own');
    return headers[STRANGE] === undefined;
  };

  const verifySynchronously = ({ req }: { req: IncomingMessage }) => isFine(req);

  @WebSocketGateway({
    verifyClient: verifySynchronously,
    allowRequest: (request: IncomingMessage, done: (error: string | null, isFine: boolean) => void) =>
      setTimeout(() => done(null, isFine(request)), 5),
  })
  class FirstGateway {}

  @WebSocketGateway({
    verifyClient: (
      { req }: { req: IncomingMessage },
      done: (isFine: boolean, status?: number, message?: string, headers?: object) => void,
    ) =>
      setTimeout(() => (isFine(req) ? done(true) : done(false, 418, 'Strange', { 'retry-after': '9' })), 5),
  })
  class AsynchronousGateway {}

  const isRevoked = async () => {
    asked.push('guard');
    return false;
  };

  test.each<[string, Way, typeof FirstGateway, string[], object]>([
    ['verifyClient, synchronous', 'ws', FirstGateway, ['own', 'guard'], { status: 401 }],
    ['verifyClient', 'ws', AsynchronousGateway, ['own', 'guard'], { status: 418, 'retry-after': '9' }],
    ['allowRequest', 'socket.io by polling', FirstGateway, ['guard', 'own'], { status: 403 }],
    ['allowRequest', 'socket.io by websocket', FirstGateway, ['guard', 'own'], { status: 400 }],
  ])('runs in addition to the guard: %s, %s', async (_, way, gateway, order, refused) => {
    const { url, jwt } = await startGuarded(way, [gateway], { module: { isRevoked } });
    const token = bearer(await jwt.sign({}));
    expect(await handshake(way, url, token)).toEqual(ADMITTED);
    expect(asked.splice(0)).toEqual(order);
    expect(await handshake(way, url, { ...token, [STRANGE]: 'yes' })).toMatchObject(refused);
    expect(asked.splice(0).at(-1)).toBe('own');
    expect(await handshake(way, url)).toMatchObject({ status: 401 });
    expect(asked).toEqual(way === 'ws' ? ['own'] : []);
  });

  test('may be in a subclass of WsAdapter', async () => {
    class StrictAdapter extends WsAdapter {
      override create(port: number, options?: Record<string, unknown>) {
        return super.create(port, { ...options, verifyClient: verifySynchronously } as never) as object;
      }
    }
    @WebSocketGateway()
    class Gateway {}
    const { url, jwt } = await startApp({
      providers: [KmsJwtGuard, Gateway],
      prepare: (app) =>
        app.useWebSocketAdapter(guardHandshakes(new StrictAdapter(app), app.get(KmsJwtGuard))),
    });
    const token = bearer(await jwt.sign({}));
    expect(await handshake('ws', url, token)).toEqual(ADMITTED);
    expect(await handshake('ws', url, { ...token, [STRANGE]: 'yes' })).toMatchObject({ status: 401 });
    expect(await handshake('ws', url)).toMatchObject({ body: { errorCode: 'token_missing' } });
  });
});

describe('CORS of socket.io', () => {
  const origin = 'https://app.example.com';
  @WebSocketGateway({ cors: { origin, credentials: true } })
  class Gateway {}

  test('answers a preflight, and lets the page read the refusal', async () => {
    const { url } = await startGuarded('socket.io', [Gateway]);
    const preflight = { origin, 'access-control-request-method': 'GET' };
    expect(await handshake('socket.io by polling', url, preflight, 'OPTIONS')).toMatchObject({
      status: 204,
      'access-control-allow-origin': origin,
    });
    expect(await handshake('socket.io by polling', url, { origin })).toMatchObject({
      status: 401,
      'access-control-allow-origin': origin,
    });
  });
});

describe('a server', () => {
  test('of ws on its own port, with and without a path, is guarded', async () => {
    const [first, second] = [await freePort(), await freePort()];
    @WebSocketGateway(first)
    class PortGateway {}
    @WebSocketGateway(second, { path: '/news' })
    class PathGateway {}
    const { jwt } = await startGuarded('ws', [PortGateway, PathGateway]);
    const token = bearer(await jwt.sign({}));
    for (const url of [`http://127.0.0.1:${first}`, `http://127.0.0.1:${second}/news`]) {
      expect(await handshake('ws', url)).toMatchObject({ status: 401 });
      expect(await handshake('ws', url, token)).toEqual(ADMITTED);
    }
  });

  test('of socket.io on its own port is guarded', async () => {
    const port = await freePort();
    @WebSocketGateway(port, { namespace: 'news' })
    class PortGateway {}
    const { jwt } = await startGuarded('socket.io', [PortGateway]);
    for (const way of ['socket.io by polling', 'socket.io by websocket'] as const) {
      const url = `http://127.0.0.1:${port}`;
      expect(await handshake(way, url)).toMatchObject({ status: 401 });
      expect(await handshake(way, url, bearer(await jwt.sign({})))).toEqual(ADMITTED);
    }
  });

  test('of neither ws nor socket.io is refused at start', async () => {
    const adapter = new IoAdapter();
    adapter.create = () => ({ on() {} }) as never;
    const guard = { jwt: { guardSettings: { property: 'user' } } } as unknown as KmsJwtGuard;
    expect(() => guardHandshakes(adapter, guard).create(0)).toThrow(
      'KmsJwt: guardHandshakes needs an adapter for ws or socket.io',
    );
  });
});

describe.each(WAYS)('a client over %s that resets its connection', (way) => {
  @WebSocketGateway()
  class Gateway {}

  test.each([true, false])(
    'while its token is verified does not crash the app; refused: %s',
    async (isRevoked) => {
      let asked = 0;
      const { url, jwt } = await startGuarded(way, [Gateway], {
        module: {
          async isRevoked() {
            asked += 1;
            await nap(100);
            return isRevoked;
          },
        },
      });
      const token = bearer(await jwt.sign({}));
      const request = handshakeOf(way, url, token);
      request.on('error', () => {});
      request.end();
      await expect.poll(() => asked).toBe(1);
      request.socket?.resetAndDestroy();
      await nap(200);
      expect((await handshake(way, url, token)).status).toBe(isRevoked ? 401 : 'admitted');
    },
  );
});

test('a connection listener of ws that throws ends only that connection', async () => {
  @WebSocketGateway()
  class Gateway {
    afterInit(server: { on(event: string, listener: () => void): void }) {
      server.on('connection', () => {
        throw new RangeError('broken');
      });
    }
  }
  const { url, jwt } = await startGuarded('ws', [Gateway]);
  const client = new WebSocket(url, { headers: bearer(await jwt.sign({})) });
  client.on('error', () => {});
  await new Promise((resolve) => client.on('close', resolve));
  expect(await handshake('ws', url)).toMatchObject({ status: 401 });
});
