import type { IncomingMessage } from 'node:http';
import { Inject, Module, type Type } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test, type TestingModule } from '@nestjs/testing';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, type JwtClaims, KmsJwtGuard } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { fakeClaims } from 'nestjs-kms-jwt/testing';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { type Endpoint, type EndpointFamily, kmsJwtOver, SCOPE } from '../transports/app-under-test.js';
import { FAMILIES } from '../transports/families.js';
import { handshakes, namespaces } from '../transports/handshakes.js';
import { socketIoConnections, wsClient, wsConnections, wsMessages } from '../transports/websocket.js';

const CLAIMS = { sub: 'user-42', aud: 'orders', scope: SCOPE };

/** The families whose gateways inject the guard; the others use `@UseGuards()`. */
const INJECTED = new Set<EndpointFamily>([socketIoConnections, wsConnections, handshakes, namespaces]);
/** Without `wsMessages`: its gateway uses the guard in both ways, and Nest can override only one. See the last test. */
const TESTED = FAMILIES.filter((family) => family !== wsMessages);

type Override = 'overrideProvider' | 'overrideGuard';

function compileWith(claims: JwtClaims, module: unknown, override: Override): Promise<TestingModule> {
  const builder = Test.createTestingModule({ imports: [module as Type] });
  return builder[override](KmsJwtGuard).useValue(fakeClaims(claims)).compile();
}

/** Makes the apps of test/transports start through Nest's testing module, with fake claims. */
function fakeIn(family: EndpointFamily, claims: JwtClaims): void {
  const override = INJECTED.has(family) ? 'overrideProvider' : 'overrideGuard';
  vi.spyOn(NestFactory, 'create').mockImplementation(async (module: unknown, ...args: unknown[]) => {
    const compiled = await compileWith(claims, module, override);
    return compiled.createNestApplication(...(args as []));
  });
  vi.spyOn(NestFactory, 'createMicroservice').mockImplementation(async (module, options) => {
    const compiled = await compileWith(claims, module, override);
    return compiled.createNestMicroservice(options as object);
  });
}

afterEach(() => vi.restoreAllMocks());

async function callWithoutToken(endpoint: Endpoint, { options }: EndpointFamily): Promise<unknown> {
  // No key is needed, because no token is verified.
  const running = await endpoint.start(kmsJwtOver(new LocalKms(), options));
  onTestFinished(async () => void (await running.close()));
  return running.call();
}

describe.each(TESTED.map((family) => ({ ...family, family })))('over $name', ({ family, endpoints }) => {
  test.each(endpoints)(
    'gives a call the fake claims, as those of a verified token: $name',
    async (endpoint) => {
      fakeIn(family, CLAIMS);
      expect(await callWithoutToken(endpoint, family)).toEqual(
        family.admitted({ sub: 'user-42', audience: 'orders', scope: SCOPE }),
      );
    },
  );

  const ofScopes = family.ignoresScopes ? [] : endpoints;
  test.each(ofScopes)(
    'refuses a scope that the fake claims lack, in the form of the guard: $name',
    async (endpoint) => {
      fakeIn(family, { ...CLAIMS, scope: 'orders:write' });
      expect(await callWithoutToken(endpoint, family)).toEqual(
        family.refused({
          statusCode: 403,
          message: `The request needs the scope ${SCOPE}`,
          errorCode: 'insufficient_scope',
          challenge: `Bearer error="insufficient_scope", error_description="The request needs the scope ${SCOPE}", scope="${SCOPE}"`,
        }),
      );
    },
  );
});

test('overrideProvider is enough for a gateway with an injected guard and the APP_GUARD', async () => {
  @WebSocketGateway()
  class OrdersGateway implements OnGatewayConnection {
    constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}
    async handleConnection(client: WebSocket, request: IncomingMessage) {
      const claims = await this.guard.acceptConnection(client, { request, gateway: this });
      client.send(JSON.stringify({ event: 'welcome', data: claims }));
    }
    @SubscribeMessage('orders') read(@Claims() claims: JwtClaims) {
      return { event: 'answer', data: claims };
    }
  }
  @Module({
    imports: [kmsJwtOver(new LocalKms())],
    providers: [OrdersGateway, { provide: APP_GUARD, useExisting: KmsJwtGuard }],
  })
  class AppModule {}
  const module = await compileWith(CLAIMS, AppModule, 'overrideProvider');
  const app = module.createNestApplication({ logger: false });
  onTestFinished(() => app.close());
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');

  const client = wsClient(await app.getUrl(), {});
  onTestFinished(() => client.leave());
  expect(await client.next()).toEqual({ event: 'welcome', data: CLAIMS });
  client.send('orders');
  expect(await client.next()).toEqual({ event: 'answer', data: CLAIMS });
});
