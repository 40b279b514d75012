import type { IncomingMessage } from 'node:http';
import {
  type CanActivate,
  ConsoleLogger,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type Provider,
  UseGuards,
} from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { ConnectedSocket, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  Claims,
  fromAuthHeader,
  fromHeader,
  fromQuery,
  getKmsJwtToken,
  type JwtClaims,
  type KmsJwtError,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  type KmsJwtService,
  Public,
  type RouteVerifyOptions,
  Scopes,
  type TokenExtractor,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { ExtractJwt } from 'passport-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { startApp } from '../auth/support.js';
import { watchRejections } from './rejections.js';
import { socketIoClient, wsClient } from './websocket.js';

async function startSockets(
  kind: 'socket.io' | 'ws',
  providers: Provider[],
  options: Partial<KmsJwtModuleOptions> = {},
) {
  const internal = KmsJwtModule.forRoot({
    name: 'internal',
    keyId: 'alias/internal',
    client: new LocalKms({ keys: [{ alias: 'internal' }] }).client(),
    tokenFrom: fromHeader('x-internal'),
  });
  return startApp({
    imports: [internal],
    providers: [KmsJwtGuard, ...providers],
    options,
    prepare: (app) => app.useWebSocketAdapter(kind === 'ws' ? new WsAdapter(app) : new IoAdapter(app)),
  });
}

function visitSocketIo(...args: Parameters<typeof socketIoClient>) {
  const client = socketIoClient(...args);
  onTestFinished(() => client.leave());
  return client;
}

function visitWs(...args: Parameters<typeof wsClient>) {
  const client = wsClient(...args);
  onTestFinished(() => client.leave());
  return client;
}

describe('a message of socket.io', () => {
  /** Holds messages up between the guard and their handler. */
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

  // Zod is not asked for: a schema is whatever speaks Standard Schema.
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
  ])('has its own claims, although one that is %s comes between guard and handler', async (other, answer) => {
    const { app, url, jwt } = await startSockets('socket.io', [InterleavingGateway, Gate]);
    const internal = app.get<KmsJwtService>(getKmsJwtToken('internal'), { strict: false });
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
  });

  test('that is public has no claims, although those of the connection stay at socket.data', async () => {
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

describe('a handshake of socket.io with more parameters than anybody needs', () => {
  @WebSocketGateway()
  @UseGuards(KmsJwtGuard)
  class OrdersGateway {
    @SubscribeMessage('orders') read(@Claims('sub') sub: string) {
      return { event: 'answer', data: sub };
    }
  }
  const flood = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, '']));

  test('has none of them, but its token in auth.token', async () => {
    const { url, jwt } = await startSockets('socket.io', [OrdersGateway]);
    const token = await jwt.sign({ sub: 'user-42' });
    const inHeader = visitSocketIo(url, { auth: { ...flood, authorization: `Bearer ${token}` } });
    inHeader.send('orders');
    expect(await inHeader.next()).toMatchObject({ data: { errorCode: 'token_missing' } });

    const inToken = visitSocketIo(url, { auth: { ...flood, 'x-100': '', token } });
    inToken.send('orders');
    expect(await inToken.next()).toEqual({ event: 'answer', data: 'user-42' });
  });
});

/** Greets those whom the guard lets in. */
function gatewayWith(kind: typeof KmsJwtGuard, decorate: ClassDecorator = () => {}) {
  @decorate
  @WebSocketGateway()
  class WelcomingGateway {
    constructor(@Inject(kind) private readonly guard: KmsJwtGuard) {}

    async handleConnection(client: WebSocket, request: IncomingMessage) {
      const isOfWs = typeof client.terminate === 'function';
      const claims = await this.guard.acceptConnection(client, { ...(isOfWs && { request }), gateway: this });
      if (!claims) return;
      if (isOfWs) client.send('{"event":"welcome"}');
      else client.emit('welcome');
    }
  }
  return WelcomingGateway;
}

const WELCOME = { event: 'welcome' };

describe('acceptConnection', () => {
  const calls: string[] = [];
  @Injectable()
  class CountingGuard extends KmsJwtGuard {
    protected override getToken(context: ExecutionContext) {
      calls.push('getToken');
      return super.getToken(context);
    }
    protected override authenticate(token: string, context: ExecutionContext) {
      calls.push('authenticate');
      return super.authenticate(token, context);
    }
    protected override handleError(error: KmsJwtError, context: ExecutionContext) {
      calls.push(error.code);
      return super.handleError(error, context);
    }
  }

  test.each(['ws', 'socket.io'] as const)(
    'runs what a subclass overrides, and what stands on the gateway: %s',
    async (kind) => {
      const decorate: ClassDecorator = (target) => {
        VerifyWith({ audience: 'sockets' })(target);
        Scopes('orders:read')(target);
        UseGuards(CountingGuard)(target);
      };
      const { url, jwt } = await startSockets(kind, [gatewayWith(CountingGuard, decorate), CountingGuard]);
      const visit = async (claims: object) => {
        calls.length = 0;
        const authorization = `Bearer ${await jwt.sign(claims)}`;
        const client =
          kind === 'ws' ? visitWs(url, { authorization }) : visitSocketIo(url, { auth: { authorization } });
        return (await client.next()).event;
      };
      expect(await visit({ aud: 'sockets', scope: 'orders:read' })).toBe('welcome');
      expect(calls).toEqual(['getToken', 'authenticate']);
      expect(await visit({ aud: 'sockets' })).toBe('exception');
      expect(calls).toEqual(['getToken', 'authenticate', 'insufficient_scope']);
      expect(await visit({ scope: 'orders:read' })).toBe('exception');
      expect(calls).toEqual(['getToken', 'authenticate', 'token_claim_invalid']);
    },
  );

  test('asks for a token, although the gateway has a guard of another instance', async () => {
    const gateway = gatewayWith(KmsJwtGuard, UseGuards(KmsJwtGuard.named('internal')));
    const { url } = await startSockets('ws', [gateway]);
    expect(await visitWs(url, {}).next()).toMatchObject({ data: { errorCode: 'token_missing' } });
  });

  test.each<[string, TokenExtractor]>([
    ['fromQuery', fromQuery('access_token')],
    ['fromUrlQueryParameter of passport-jwt', ExtractJwt.fromUrlQueryParameter('access_token')],
  ])('finds the token in the URL of a connection of ws: %s', async (_, tokenFrom) => {
    const { url, jwt } = await startSockets('ws', [gatewayWith(KmsJwtGuard)], { tokenFrom });
    const token = await jwt.sign({});
    expect(await visitWs(`${url}/?access_token=${token}`, {}).next()).toEqual(WELCOME);
    const twice = visitWs(`${url}/?access_token=${token}&access_token=${token}`, {});
    expect(await twice.next()).toMatchObject({ data: { errorCode: 'token_ambiguous' } });
  });

  test('refuses a connection of ws with two lines Authorization, of which Node keeps one', async () => {
    const { url, jwt } = await startSockets('ws', [gatewayWith(KmsJwtGuard)]);
    const authorization = `Bearer ${await jwt.sign({})}`;
    expect(await visitWs(url, { authorization }).next()).toEqual(WELCOME);
    const twice = visitWs(url, { authorization: [authorization, authorization] });
    expect(await twice.next()).toMatchObject({ data: { errorCode: 'token_ambiguous' } });
  });

  test('logs once what is not the fault of its client', async () => {
    const lines: unknown[] = [];
    const { url, jwt } = await startSockets('ws', [gatewayWith(KmsJwtGuard)], {
      isRevoked: () => 'no' as never,
    });
    class Lines extends ConsoleLogger {
      override error(line: unknown) {
        lines.push(line);
      }
    }
    Logger.overrideLogger(new Lines());
    onTestFinished(() => Logger.overrideLogger(false));
    await visitWs(url, { authorization: `Bearer ${await jwt.sign({})}` }).closed();
    expect(lines).toEqual([expect.stringContaining('RevocationUnavailableError')]);
  });

  /** Fails in a way that the guard knows nothing of. */
  @Injectable()
  class BrokenGuard extends KmsJwtGuard {
    protected override authenticate(): never {
      throw new RangeError('the user database is away');
    }
  }

  @Injectable()
  class ThrowingGuard extends KmsJwtGuard {
    protected override handleError(): never {
      throw new RangeError('the metrics are away');
    }
  }

  test.each<[number, string, Partial<KmsJwtModuleOptions>, typeof KmsJwtGuard]>([
    [1008, 'token_ambiguous', { tokenFrom: [fromAuthHeader(), fromHeader('x-token')] }, KmsJwtGuard],
    [1008, 'token_revoked', { isRevoked: () => true }, KmsJwtGuard],
    [1008, 'token_revoked', { isRevoked: () => true }, ThrowingGuard],
    [1013, 'revocation_unavailable', { isRevoked: () => Promise.reject(new Error('away')) }, KmsJwtGuard],
    [1011, 'internal_error', {}, BrokenGuard],
  ])('closes a connection of ws with %i for %s, and never rejects', async (code, reason, options, guard) => {
    const rejections = watchRejections();
    const { url, jwt } = await startSockets('ws', [gatewayWith(guard), guard], options);
    const token = await jwt.sign({});
    const client = visitWs(url, { authorization: `Bearer ${token}`, 'x-token': token });
    expect(await client.next()).toMatchObject({ event: 'exception', data: { errorCode: reason } });
    expect(await client.closed()).toEqual({ code, reason });
    expect(rejections).toEqual([]);
  });

  test('disconnects a client of socket.io where a subclass fails, and never rejects', async () => {
    const rejections = watchRejections();
    const { url, jwt } = await startSockets('socket.io', [gatewayWith(BrokenGuard), BrokenGuard]);
    const client = visitSocketIo(url, { auth: { token: await jwt.sign({}) } });
    expect(await client.next()).toEqual({
      event: 'exception',
      data: {
        status: 'error',
        statusCode: 500,
        message: 'Internal Server Error',
        errorCode: 'internal_error',
      },
    });
    expect(await client.closed()).toBe('io server disconnect');
    expect(rejections).toEqual([]);
  });
});
