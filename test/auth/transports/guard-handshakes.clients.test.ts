import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { bearer } from '../support.js';
import { connect, expectNoFailures, handshake, nap, startGuarded } from './handshakes.support.js';

expectNoFailures();

const refusalOf = (socket: ReturnType<typeof connect>) =>
  new Promise<Error & { description?: unknown }>((resolve) => socket.on('connect_error', resolve));

describe('a client that is refused at its handshake', () => {
  /** Broadcasts all the time. */
  @WebSocketGateway()
  class NewsGateway {
    @WebSocketServer() private readonly server!: {
      clients?: Iterable<{ send(message: string): void }>;
      emit(event: string): void;
    };
    connections = 0;
    handleConnection() {
      this.connections += 1;
    }
    afterInit() {
      const timer = setInterval(() => {
        if (!this.server.clients) return this.server.emit('news');
        for (const client of this.server.clients) client.send('{"event":"news"}');
      }, 1);
      onTestFinished(() => clearInterval(timer));
    }
  }
  const revoking = { module: { isRevoked: async () => nap(150).then(() => true) } };

  test('receives no broadcast: ws', async () => {
    const { app, url, jwt } = await startGuarded('ws', [NewsGateway], revoking);
    const client = new WebSocket(url, { headers: bearer(await jwt.sign({})) });
    const received: unknown[] = [];
    client.on('message', (message) => received.push(message));
    const error = await new Promise<Error>((resolve) => client.on('error', resolve));
    expect(error.message).toBe('Unexpected server response: 401');
    expect(received).toEqual([]);
    expect(app.get(NewsGateway).connections).toBe(0);
  });

  test.each(['websocket', 'polling'])('receives no broadcast: socket.io by %s', async (transport) => {
    const { app, url, jwt } = await startGuarded('socket.io', [NewsGateway], revoking);
    const extraHeaders = bearer(await jwt.sign({}));
    const client = connect(url, { extraHeaders, transports: [transport] });
    const received: unknown[] = [];
    client.onAny((event) => received.push(event));
    const error = await refusalOf(client);
    if (transport === 'polling') expect(error.description).toBe(401);
    expect(received).toEqual([]);
    expect(app.get(NewsGateway).connections).toBe(0);
  });
});

test('a socket.io client whose token is revoked while it is disconnected does not receive missed events', async () => {
  @WebSocketGateway({ connectionStateRecovery: {} })
  class NewsGateway {
    @WebSocketServer() readonly server!: { emit(event: string): void };
    handleDisconnect() {
      this.server.emit('missed');
    }
    @SubscribeMessage('drop') drop(client: { conn: { close(): void } }) {
      client.conn.close();
    }
  }
  let isRevoked = false;
  const { app, url, jwt } = await startGuarded('socket.io', [NewsGateway], {
    module: { isRevoked: () => isRevoked },
  });
  const extraHeaders = bearer(await jwt.sign({}));
  const client = connect(url, { extraHeaders, reconnection: true, reconnectionDelay: 20 });
  const received: unknown[] = [];
  client.onAny((event) => received.push(event));
  await new Promise<void>((resolve) => client.once('connect', resolve));
  app.get(NewsGateway).server.emit('news');
  await expect.poll(() => received).toEqual(['news']);

  const comesBack = () =>
    new Promise((resolve) => {
      client.once('connect', () => resolve(client.recovered));
      client.io.once('reconnect_error', () => resolve('refused'));
    });
  client.emit('drop');
  expect(await comesBack()).toBe(true);
  await expect.poll(() => received).toEqual(['news', 'missed']);
  isRevoked = true;
  client.emit('drop');
  expect(await comesBack()).toBe('refused');
  expect(received).toEqual(['news', 'missed']);
});

describe('a socket.io handshake', () => {
  @WebSocketGateway()
  class EchoGateway {
    @SubscribeMessage('echo') echo(_client: object, data: unknown) {
      return data;
    }
  }
  @WebSocketGateway({ namespace: 'other' })
  class OtherGateway extends EchoGateway {}

  test.each([[['polling']], [['websocket']], [['polling', 'websocket']]])(
    'is verified once, by %j',
    async (transports) => {
      let asked = 0;
      const isRevoked = () => (asked += 1) > 1;
      const { url, jwt } = await startGuarded('socket.io', [EchoGateway, OtherGateway], {
        module: { isRevoked },
      });
      const client = connect(url, { extraHeaders: bearer(await jwt.sign({})), transports });
      for (let index = 0; index < 10; index += 1) {
        expect(await client.timeout(5000).emitWithAck('echo', index)).toBe(index);
        await nap(20);
      }
      expect(client.io.engine.transport.name).toBe(transports.at(-1));
      expect(asked).toBe(1);
    },
  );

  test('with a forged session id is refused', async () => {
    const { url, jwt } = await startGuarded('socket.io', [EchoGateway]);
    const client = connect(url, { extraHeaders: bearer(await jwt.sign({})), transports: ['polling'] });
    await new Promise<void>((resolve) => client.on('connect', resolve));
    for (const sid of ['x', '__proto__', 'toString', '']) {
      for (const way of ['socket.io by polling', 'socket.io by websocket'] as const) {
        const { status } = await handshake(way, `${url}/?sid=${sid}`);
        expect([400, 401]).toContain(status);
      }
    }
  });
});
