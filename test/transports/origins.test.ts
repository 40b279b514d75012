import type { IncomingMessage } from 'node:http';
import { ConsoleLogger, Controller, Get, Inject, Logger, UseGuards } from '@nestjs/common';
import { Query, Resolver, Subscription } from '@nestjs/graphql';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { createClient } from 'graphql-ws';
import { fromAuthHeader, fromCookie, fromQuery, KmsJwtGuard, type TokenExtractor } from 'nestjs-kms-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startSockets, visitSocketIo, visitWs } from './sockets.support.js';
import { graphqlModule, start } from './support.js';

const APP = 'https://app.example.com';
const FOREIGN = 'https://evil.example';
const tokenFrom = [fromAuthHeader(), fromCookie('token'), fromQuery('token')];

const OPTIONS_INVALID = { status: 'error', statusCode: 500, message: 'Internal Server Error' };
const NOT_ALLOWED = {
  status: 'error',
  statusCode: 403,
  message: 'The origin of the connection is not allowed',
  errorCode: 'origin_not_allowed',
};

@WebSocketGateway()
class SocketsGateway {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}
  async handleConnection(client: WebSocket, request: IncomingMessage) {
    const isOfWs = typeof client.terminate === 'function';
    if (!(await this.guard.acceptConnection(client, { ...(isOfWs && { request }) }))) return;
    if (isOfWs) client.send('{"event":"welcome"}');
    else client.emit('welcome');
  }
}

/** Does not call acceptConnection, so that each message is verified. */
@WebSocketGateway()
@UseGuards(KmsJwtGuard)
class MessagesGateway {
  @SubscribeMessage('orders') read() {
    return { event: 'answer' };
  }
}

/** @returns `welcome`, or the refusal and how the connection was closed */
async function visit(kind: 'ws' | 'socket.io', url: string, headers: Record<string, string>) {
  const client = kind === 'ws' ? visitWs(url, headers) : visitSocketIo(url, { extraHeaders: headers });
  const message = await client.next();
  return message.event === 'welcome' ? 'welcome' : { data: message.data, closed: await client.closed() };
}

describe.each(['ws', 'socket.io'] as const)('a %s connection', (kind) => {
  const closedWith = (code: number, reason: string) =>
    kind === 'ws' ? { code, reason } : 'io server disconnect';

  test('with its token in a cookie is refused with options_invalid without guard.allowedOrigins', async () => {
    const { url, jwt } = await startSockets(kind, [SocketsGateway], { guard: { tokenFrom } });
    const lines = collectErrors();
    const cookie = `token=${await jwt.sign({})}`;
    expect(await visit(kind, url, { cookie, origin: APP })).toEqual({
      data: { ...OPTIONS_INVALID, errorCode: 'options_invalid' },
      closed: closedWith(1011, 'options_invalid'),
    });
    // The error is logged once in ten seconds, so only the first kind of connection logs it.
    if (kind === 'ws') expect(lines).toEqual([expect.stringMatching(/guard\.allowedOrigins is missing: /)]);
    // Without an Origin, the request does not come from a browser.
    expect(await visit(kind, url, { cookie })).toBe('welcome');
  });

  test('with its token in a cookie needs an Origin that guard.allowedOrigins lists', async () => {
    const { url, jwt } = await startSockets(kind, [SocketsGateway], {
      guard: { tokenFrom, allowedOrigins: [APP, 'http://localhost:3000', 'capacitor://localhost'] },
    });
    const cookie = `token=${await jwt.sign({})}`;
    const refusal = { data: NOT_ALLOWED, closed: closedWith(1008, 'origin_not_allowed') };
    for (const origin of [
      APP,
      'HTTPS://App.Example.com:443',
      'http://localhost:3000',
      'capacitor://localhost',
    ]) {
      expect(await visit(kind, url, { cookie, origin })).toBe('welcome');
    }
    const others = [
      FOREIGN,
      'http://app.example.com',
      'https://app.example.com:8443',
      'https://app.example.com.evil.example',
      'https://x.app.example.com',
      'https://app.example.com@evil.example',
      'https://app.example.com, https://evil.example',
      'http://localhost:3001',
      'capacitor://localhost.evil',
      'other://localhost',
      'null',
      '',
      'nonsense',
    ];
    for (const origin of others) expect(await visit(kind, url, { cookie, origin })).toEqual(refusal);
  });

  test("may have the origin 'null' if it is listed", async () => {
    const { url, jwt } = await startSockets(kind, [SocketsGateway], {
      guard: { tokenFrom, allowedOrigins: ['null'] },
    });
    const cookie = `token=${await jwt.sign({})}`;
    expect(await visit(kind, url, { cookie, origin: 'null' })).toBe('welcome');
    expect(await visit(kind, url, { cookie, origin: 'other://localhost' })).toMatchObject({
      data: NOT_ALLOWED,
    });
  });

  test('with its token outside cookies may have any origin', async () => {
    const { url, jwt } = await startSockets(kind, [SocketsGateway], { guard: { tokenFrom } });
    const token = await jwt.sign({});
    const authorization = `Bearer ${token}`;
    expect(await visit(kind, url, { authorization, origin: FOREIGN })).toBe('welcome');
    expect(await visit(kind, url, { authorization, origin: FOREIGN, cookie: 'theme=dark' })).toBe('welcome');
    if (kind === 'ws')
      expect(await visit(kind, `${url}/?token=${token}`, { origin: FOREIGN })).toBe('welcome');
  });

  test.each<[string, TokenExtractor]>([
    ['inside another extractor', (request) => fromAuthHeader()(request) ?? fromCookie('token')(request)],
    ['with a part of the request', ({ headers }) => fromCookie('token')({ headers })],
  ])('is refused by its Origin also if the app calls fromCookie %s', async (_, extractor) => {
    const { url, jwt } = await startSockets(kind, [SocketsGateway], {
      guard: { tokenFrom: extractor, allowedOrigins: [APP] },
    });
    const cookie = `token=${await jwt.sign({})}`;
    expect(await visit(kind, url, { cookie, origin: FOREIGN })).toMatchObject({ data: NOT_ALLOWED });
    expect(await visit(kind, url, { cookie, origin: APP })).toBe('welcome');
  });
});

test('a socket.io message is refused by the Origin of its handshake', async () => {
  const { url, jwt } = await startSockets('socket.io', [MessagesGateway], {
    guard: { tokenFrom, allowedOrigins: [APP] },
  });
  const cookie = `token=${await jwt.sign({})}`;
  const send = (origin: string, transport: string) => {
    const client = visitSocketIo(url, { extraHeaders: { cookie, origin } }, [transport]);
    client.send('orders');
    return client.next();
  };
  for (const transport of ['websocket', 'polling']) {
    expect(await send(APP, transport)).toMatchObject({ event: 'answer' });
    expect(await send(FOREIGN, transport)).toEqual({ event: 'exception', data: NOT_ALLOWED });
  }
});

async function subscribe(url: string, headers: Record<string, string>, connectionParams = {}) {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    connectionParams,
    webSocketImpl: class extends WebSocket {
      constructor(address: string, protocol: string) {
        super(address, protocol, { headers });
      }
    },
    retryAttempts: 0,
  });
  onTestFinished(() => client.dispose());
  return (await client.iterate({ query: 'subscription { ticks }' }).next()).value as object;
}

const TICK = { data: { ticks: 'tick' } };
const errorOf = (code: string, errorCode: string) => ({ errors: [{ extensions: { code, errorCode } }] });

describe('a graphql-ws connection', () => {
  @Resolver()
  @UseGuards(KmsJwtGuard)
  class TicksResolver {
    @Query(() => String) hello() {
      return 'hello';
    }
    @Subscription(() => String) async *ticks() {
      yield { ticks: 'tick' };
    }
  }

  @Controller()
  @UseGuards(KmsJwtGuard)
  class OrdersController {
    @Get('orders') read() {
      return 'orders';
    }
  }

  test.each<[string, Parameters<typeof graphqlModule>[1]]>([
    ['with the context of Nest', undefined],
    [
      'with a context of the app',
      ({ req, extra }: { req: object; extra?: { request: object } }) => ({ req: extra?.request ?? req }),
    ],
  ])('with its token in a cookie needs an allowed Origin: %s', async (_, context) => {
    const parts = { providers: [TicksResolver], imports: [graphqlModule(undefined, context)] };
    const allowing = await start({ ...parts, options: { guard: { tokenFrom, allowedOrigins: [APP] } } });
    const token = await allowing.jwt.sign({});
    const cookie = `token=${token}`;
    expect(await subscribe(allowing.url, { cookie, origin: APP })).toEqual(TICK);
    expect(await subscribe(allowing.url, { cookie })).toEqual(TICK);
    expect(await subscribe(allowing.url, { cookie, origin: FOREIGN })).toMatchObject(
      errorOf('FORBIDDEN', 'origin_not_allowed'),
    );
    const authorization = `Bearer ${token}`;
    if (!context) expect(await subscribe(allowing.url, { origin: FOREIGN }, { authorization })).toEqual(TICK);
  });

  test('is refused if a context of the app omits the Origin header', async () => {
    const { url, jwt } = await start({
      providers: [TicksResolver],
      imports: [
        graphqlModule(undefined, ({ extra }: { extra: { request: { headers: { cookie: string } } } }) => ({
          req: { headers: { cookie: extra.request.headers.cookie } },
        })),
      ],
      options: { guard: { tokenFrom, allowedOrigins: [APP] } },
    });
    const cookie = `token=${await jwt.sign({})}`;
    expect(await subscribe(url, { cookie, origin: FOREIGN })).toMatchObject(
      errorOf('FORBIDDEN', 'origin_not_allowed'),
    );
  });

  test('is refused without guard.allowedOrigins, while HTTP requests are not affected', async () => {
    const { url, jwt } = await start({
      providers: [TicksResolver],
      controllers: [OrdersController],
      imports: [graphqlModule()],
      options: { guard: { tokenFrom } },
    });
    const headers = { cookie: `token=${await jwt.sign({})}`, origin: FOREIGN };
    expect(await subscribe(url, headers)).toMatchObject(errorOf('INTERNAL_SERVER_ERROR', 'options_invalid'));

    expect((await fetch(`${url}/orders`, { headers })).status).toBe(200);
    const query = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"query":"{ hello }"}',
    });
    expect(await query.json()).toEqual({ data: { hello: 'hello' } });
  });
});

function collectErrors() {
  const lines: unknown[] = [];
  class Lines extends ConsoleLogger {
    override error(line: unknown) {
      lines.push(line);
    }
    override log() {}
  }
  Logger.overrideLogger(new Lines());
  onTestFinished(() => Logger.overrideLogger(false));
  return lines;
}
