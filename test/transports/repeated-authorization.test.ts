import { Inject, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Query, Resolver, Subscription } from '@nestjs/graphql';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { createClient } from 'graphql-ws';
import { KmsJwtGuard, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { PLATFORMS } from './http.js';
import { startSockets, visitSocketIo } from './sockets.support.js';
import { graphqlModule } from './support.js';

const AMBIGUOUS = { statusCode: 400, errorCode: 'token_ambiguous' };
/** Node.js sends one header line per value; the types of socket.io-client allow a single value only. */
const twoHeaders = (first: string, second: string) => ({
  authorization: [first, second] as unknown as string,
});

// Node.js keeps the first of two header lines; a proxy in front of the app may have checked the second.
describe('two Authorization headers', () => {
  @WebSocketGateway()
  @UseGuards(KmsJwtGuard)
  class OrdersGateway {
    @SubscribeMessage('orders') read() {
      return { event: 'answer' };
    }
  }

  test.each([['websocket'], ['polling']])('are refused in a socket.io handshake: %s', async (transport) => {
    const { url, jwt } = await startSockets('socket.io', [OrdersGateway]);
    const [user, admin] = [`Bearer ${await jwt.sign({})}`, `Bearer ${await jwt.sign({ sub: 'admin' })}`];
    const visit = (extraHeaders: Record<string, string>) => {
      const client = visitSocketIo(url, { extraHeaders }, [transport]);
      client.send('orders');
      return client.next();
    };
    expect(await visit({ authorization: user })).toMatchObject({ event: 'answer' });
    expect(await visit(twoHeaders(user, admin))).toMatchObject({ event: 'exception', data: AMBIGUOUS });
    expect(await visit(twoHeaders(user, 'Basic dXNlcjpwYXNz'))).toMatchObject({ data: AMBIGUOUS });
  });

  @WebSocketGateway()
  class WelcomingGateway {
    constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}
    async handleConnection(client: { emit(event: string): void }) {
      if (await this.guard.acceptConnection(client)) client.emit('welcome');
    }
  }

  test('are refused by acceptConnection in a socket.io handshake', async () => {
    const { url, jwt } = await startSockets('socket.io', [WelcomingGateway]);
    const authorization = `Bearer ${await jwt.sign({})}`;
    const client = visitSocketIo(url, { extraHeaders: twoHeaders(authorization, authorization) });
    expect(await client.next()).toMatchObject({ event: 'exception', data: AMBIGUOUS });
    expect(await client.closed()).toBe('io server disconnect');
  });

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

  test.each(Object.entries(PLATFORMS))(
    'are refused in the upgrade request of graphql-ws: %s',
    async (_, newPlatform) => {
      const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client();
      const module = {
        module: TicksResolver,
        imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client }), graphqlModule()],
        providers: [TicksResolver],
      };
      const app = await NestFactory.create(module, newPlatform(), { logger: false });
      onTestFinished(() => app.close());
      await app.listen(0, '127.0.0.1');
      const url = `${await app.getUrl()}/graphql`;
      const authorization = `Bearer ${await app.get(KmsJwtService, { strict: false }).sign({})}`;

      const subscribe = async (headers: Record<string, string>) => {
        const graphqlWs = createClient({
          url: url.replace('http', 'ws'),
          webSocketImpl: class extends WebSocket {
            constructor(address: string, protocol: string) {
              super(address, protocol, { headers });
            }
          },
          retryAttempts: 0,
        });
        onTestFinished(() => graphqlWs.dispose());
        return (await graphqlWs.iterate({ query: 'subscription { ticks }' }).next()).value as object;
      };
      expect(await subscribe({ authorization })).toEqual({ data: { ticks: 'tick' } });
      expect(await subscribe(twoHeaders(authorization, authorization))).toMatchObject({
        errors: [{ extensions: { code: 'BAD_REQUEST', errorCode: 'token_ambiguous' } }],
      });
    },
  );
});
