import { once } from 'node:events';
import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, claimsOf, type JwtClaims, KmsJwtGuard, Public, VerifyWith } from 'nestjs-kms-jwt';
import { io } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startApp } from '../support.js';

interface Socket {
  data?: { user?: JwtClaims };
  user?: JwtClaims;
}

const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const userOf = (socket: Socket) => (socket.data ?? socket).user;

/** Records the claims and the pattern of each call, after the guard. */
@Injectable()
class Observing implements NestInterceptor {
  static seen: unknown[] = [];
  intercept(context: ExecutionContext, next: CallHandler) {
    const ws = context.switchToWs();
    Observing.seen.push([claimsOf(context)?.sub, ws.getPattern(), ws.getData<unknown>()]);
    return next.handle();
  }
}

@WebSocketGateway()
@UseGuards(KmsJwtGuard)
@UseInterceptors(Observing)
class Gateway {
  @SubscribeMessage('slow') async slow(
    @MessageBody() id: unknown,
    @ConnectedSocket() socket: Socket,
    @Claims('sub') sub?: string,
  ) {
    await nap(20);
    return { event: 'answer', data: { id, sub, user: userOf(socket)?.sub } };
  }
  @SubscribeMessage('plain') plain(_socket: Socket, data: unknown) {
    return { event: 'answer', data };
  }
  @SubscribeMessage('acknowledged') acknowledged(@Claims('sub') sub: string) {
    return sub;
  }
  @Public() @SubscribeMessage('public') open() {}
  @VerifyWith({ audience: 'others' }) @SubscribeMessage('refused') refused() {}
}

/** Answers of one client, by the id of the message. */
interface Client {
  send(event: string, data?: unknown): void;
  answers: { id: unknown; sub?: string; user?: string }[];
}

type Connect = (url: string, token: string) => Promise<Client>;

const KINDS: [string, (app: object) => IoAdapter | WsAdapter, Connect][] = [
  [
    'socket.io',
    (app) => new IoAdapter(app),
    async (url, token) => {
      const socket = io(url, {
        auth: { token },
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
      });
      onTestFinished(() => void socket.close());
      const answers: Client['answers'] = [];
      socket.on('answer', (answer: Client['answers'][number]) => answers.push(answer));
      await new Promise<void>((resolve) => socket.on('connect', resolve));
      return { answers, send: (event, data) => socket.emit(event, data) };
    },
  ],
  [
    'ws',
    (app) => new WsAdapter(app),
    async (url, token) => {
      const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
      onTestFinished(() => socket.terminate());
      const answers: Client['answers'] = [];
      socket.on('message', (message: Buffer) => {
        const { event, data } = JSON.parse(message.toString()) as { event: string; data: never };
        if (event === 'answer') answers.push(data);
      });
      await once(socket, 'open');
      return { answers, send: (event, data) => socket.send(JSON.stringify({ event, data })) };
    },
  ],
];

async function until(condition: () => boolean) {
  while (!condition()) await nap(5);
}

describe.each(KINDS)('messages over %s', (kind, newAdapter, connect) => {
  async function start(
    providers: (typeof KmsJwtGuard | typeof Gateway)[],
    isRevoked?: () => Promise<boolean>,
  ) {
    // A socket of `ws` does not keep its request: acceptConnection passes it to the guard.
    @WebSocketGateway()
    class Accepting {
      constructor(private readonly guard: KmsJwtGuard) {}
      async handleConnection(client: object, request: never) {
        await this.guard.acceptConnection(client, kind === 'ws' ? { request } : {});
      }
    }
    Reflect.defineMetadata('design:paramtypes', [KmsJwtGuard], Accepting);
    return startApp({
      providers: [KmsJwtGuard, ...(kind === 'ws' ? [Accepting] : []), ...providers],
      options: { ...(isRevoked && { isRevoked }) },
      prepare: (app) => app.useWebSocketAdapter(newAdapter(app)),
    });
  }

  test.each(['public', 'refused'])('keep their claims while a %s message is handled', async (beside) => {
    const { url, jwt } = await start([Gateway]);
    const client = await connect(url, await jwt.sign({ sub: 'user-42' }));
    for (let id = 0; id < 5; id += 1) {
      client.send('slow', id);
      await nap(4);
      client.send(beside);
      await until(() => client.answers.length === id + 1);
    }
    for (const { sub, user } of client.answers) expect([sub, user]).toEqual(['user-42', 'user-42']);
  });

  test('keep their claims when the token is revoked meanwhile', async () => {
    let calls = 0;
    const isRevoked = async () => {
      await nap(Math.random() * 10);
      return ++calls % 3 === 0;
    };
    const { url, jwt } = await start([Gateway], isRevoked);
    const client = await connect(url, await jwt.sign({ sub: 'user-42' }));
    for (let id = 0; id < 30; id += 1) client.send('slow', id);
    await nap(300);
    expect(client.answers.length).toBeGreaterThan(0);
    for (const { sub } of client.answers) expect(sub).toBe('user-42');
  });

  test('with a token of their own have the claims of that token', async () => {
    @Injectable()
    class MessageTokenGuard extends KmsJwtGuard {
      protected override getToken(context: ExecutionContext) {
        return (
          context.switchToWs().getData<{ token?: string } | undefined>()?.token ?? super.getToken(context)
        );
      }
    }
    @WebSocketGateway()
    @UseGuards(MessageTokenGuard)
    class TokenGateway {
      @SubscribeMessage('whoami') async whoami(
        @MessageBody() { id }: { id: number },
        @Claims('sub') sub: string,
      ) {
        await nap(5);
        return { event: 'answer', data: { id, sub } };
      }
    }
    const { url, jwt } = await start([MessageTokenGuard, TokenGateway as never]);
    const tokens = await Promise.all(['user-0', 'user-1'].map((sub) => jwt.sign({ sub })));
    const client = await connect(url, tokens[0] ?? '');
    for (let id = 0; id < 40; id += 1) client.send('whoami', { id, token: tokens[id % 2] });
    await until(() => client.answers.length === 40);
    for (const { id, sub } of client.answers) expect(sub).toBe(`user-${Number(id) % 2}`);
  });

  test.each([['string'], [undefined], [{ a: 1 }], [[1, 2]]])(
    'with the data %j keep their data and pattern',
    async (data) => {
      const { url, jwt } = await start([Gateway]);
      const client = await connect(url, await jwt.sign({ sub: 'user-42' }));
      Observing.seen = [];
      client.send('slow', data);
      client.send('plain', data);
      await until(() => Observing.seen.length === 2);
      // JSON has no undefined: socket.io sends null.
      const received = kind === 'socket.io' ? (data ?? null) : data;
      expect(Observing.seen).toContainEqual(['user-42', 'slow', received]);
      expect(Observing.seen).toContainEqual(['user-42', 'plain', received]);
    },
  );
});

test('a socket.io message with an acknowledgement keeps its callback', async () => {
  const { url, jwt } = await startApp({
    providers: [KmsJwtGuard, Gateway],
    prepare: (app) => app.useWebSocketAdapter(new IoAdapter(app)),
  });
  const token = await jwt.sign({ sub: 'user-42' });
  const socket = io(url, { auth: { token }, transports: ['websocket'], reconnection: false, forceNew: true });
  onTestFinished(() => void socket.close());
  expect(await socket.timeout(5000).emitWithAck('acknowledged', 'data')).toBe('user-42');
});
