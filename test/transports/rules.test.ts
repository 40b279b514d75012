import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Controller,
  type DynamicModule,
  type INestApplication,
  Inject,
  Injectable,
  type Type,
  Module,
  type Provider,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import {
  Field,
  GraphQLModule,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { ConnectedSocket, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  Claims,
  fromAuthHeader,
  fromQuery,
  InjectKmsJwt,
  type JwtClaims,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  OptionalAuth,
  Public,
  type TokenExtractor,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { createClient } from 'graphql-ws';
import { lastValueFrom } from 'rxjs';
import { ExtractJwt } from 'passport-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { kmsJwtOver } from './app-under-test.js';
import { freePort } from './free-port.js';
import { doorsGuardedBy } from './grpc.js';
import { watchRejections } from './rejections.js';
import { socketIoClient, wsClient } from './websocket.js';

interface Parts {
  providers: Provider[];
  imports?: DynamicModule[];
  options?: Partial<KmsJwtModuleOptions>;
  controllers?: Type[];
  newAdapter?: (app: object) => IoAdapter | WsAdapter;
  prepare?: (app: INestApplication) => Promise<void>;
}

const { version } = createRequire(import.meta.url)('@nestjs/core/package.json') as { version: string };
const NEST = Number(version.split('.')[0]);

async function start({ providers, controllers = [], imports = [], options, newAdapter, prepare }: Parts) {
  const client = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'internal' }] }).client();
  @Module({
    imports: [
      KmsJwtModule.forRoot({ keyId: 'alias/auth', client, ...options }),
      KmsJwtModule.forRoot({ keyId: 'alias/internal', client, name: 'internal' }),
      ...imports,
    ],
    controllers,
    providers: [KmsJwtGuard, ...providers],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false });
  onTestFinished(() => app.close());
  if (newAdapter) app.useWebSocketAdapter(newAdapter(app));
  await prepare?.(app);
  await app.listen(0, '127.0.0.1');
  return { url: await app.getUrl(), jwt: app.get(KmsJwtService, { strict: false }) };
}

describe('a socket of ws', () => {
  @UseGuards(KmsJwtGuard)
  @WebSocketGateway()
  class ForgetfulGateway {
    @SubscribeMessage('guarded') read() {
      return { event: 'answer' };
    }
    @Public() @SubscribeMessage('open') open() {
      return { event: 'answer' };
    }
  }

  test('that acceptConnection never saw has no token to its messages, and hears so once each', async () => {
    const { url, jwt } = await start({
      providers: [ForgetfulGateway],
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

describe('APP_GUARD', () => {
  const appGuard = { provide: APP_GUARD, useClass: KmsJwtGuard };

  @Resolver()
  class PlainResolver {
    @Query(() => String) hello(@Claims('sub') sub: string) {
      return sub;
    }
  }

  test('guards resolvers', async () => {
    const { url, jwt } = await start({ providers: [PlainResolver, appGuard], imports: [graphqlModule()] });
    const refused = await ask(url, '{ hello }');
    expect(refused).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await ask(url, '{ hello }', token)).toEqual({ data: { hello: 'user-42' } });
  });

  @WebSocketGateway()
  class PlainGateway {
    @SubscribeMessage('orders') read() {
      return { event: 'answer', data: 'orders' };
    }
  }

  test(`guards gateways ${NEST < 12 ? 'only from Nest 12 on' : ''}`, async () => {
    const { url, jwt } = await start({
      providers: [PlainGateway, appGuard],
      newAdapter: (app) => new IoAdapter(app),
    });
    const visit = async (auth: object) => {
      const client = socketIoClient(url, { auth });
      onTestFinished(() => client.leave());
      client.send('orders');
      return client.next();
    };
    const answer = { event: 'answer', data: 'orders' };
    const refusal = { event: 'exception', data: expect.objectContaining({ errorCode: 'token_missing' }) };
    expect(await visit({ token: await jwt.sign({}) })).toEqual(answer);
    expect(await visit({})).toEqual(NEST < 12 ? answer : refusal);
  });

  @Controller()
  class PlainController {
    @MessagePattern('orders') read() {
      return 'orders';
    }
  }

  test.each([
    [true, { errorCode: 'token_missing' }],
    [false, 'orders'],
  ])(
    'guards a microservice of a hybrid app with inheritAppConfig: %s',
    async (inheritAppConfig, expected) => {
      const options = { host: '127.0.0.1', port: await freePort() };
      await start({
        providers: [appGuard],
        controllers: [PlainController],
        prepare: async (app) => {
          app.connectMicroservice({ transport: Transport.TCP, options }, { inheritAppConfig });
          await app.startAllMicroservices();
        },
      });
      const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
      onTestFinished(() => client.close());
      const received = lastValueFrom(client.send<unknown>('orders', {})).catch((error: unknown) => error);
      const matching = typeof expected === 'string' ? expected : expect.objectContaining(expected);
      expect(await received).toEqual(matching);
    },
  );
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

  test('whose token is revoked meanwhile gets no further message through', async () => {
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

  test('of socket.io keeps the claims at socket.data.user, and not for what is public', async () => {
    const { url, jwt } = await start({
      providers: [SocketIoGateway],
      newAdapter: (app) => new IoAdapter(app),
    });
    const client = socketIoClient(url, { auth: { token: await jwt.sign({ sub: 'user-42' }) } });
    onTestFinished(() => client.leave());
    client.send('orders');
    expect(await client.next()).toEqual({ event: 'answer', data: 'user-42' });

    // What is public asks for no token, so that nobody knows whether the one of the last message still holds.
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
  ])('with tokens %s is refused', async (_, optionsWith) => {
    const { url, jwt } = await start({
      providers: [SocketIoGateway],
      options: { tokenFrom: [fromAuthHeader(), fromQuery('access_token')] },
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

const graphqlModule = (subscriptions: ApolloDriverConfig['subscriptions'] = { 'graphql-ws': true }) =>
  GraphQLModule.forRoot<ApolloDriverConfig>({
    driver: ApolloDriver,
    autoSchemaFile: true,
    subscriptions,
  });

async function ask(url: string, query: string, token?: string) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as { data: Record<string, string | null>; errors?: object[] };
}

describe('a request of GraphQL', () => {
  @UseGuards(KmsJwtGuard)
  @Resolver()
  class FieldsResolver {
    constructor(@InjectKmsJwt('internal') private readonly internal: KmsJwtService) {}

    @Query(() => String, { nullable: true }) closed(@Claims('sub') sub: string) {
      return sub;
    }
    @UseGuards(KmsJwtGuard.named('internal')) @Query(() => String, { nullable: true }) internalOnly(
      @Claims('sub') sub: string,
    ) {
      return sub;
    }
    @Public() @Query(() => String) open() {
      return 'open';
    }
    @OptionalAuth() @Query(() => String) optional(@Claims('sub') sub?: string) {
      return sub ?? 'nobody';
    }
    @Public() @Query(() => String) internalToken() {
      return this.internal.sign({ sub: 'service' });
    }
  }

  test('is refused field by field: what is open is answered', async () => {
    const { url } = await start({ providers: [FieldsResolver], imports: [graphqlModule()] });
    expect(await ask(url, '{ open closed optional }')).toEqual({
      data: { open: 'open', closed: null, optional: 'nobody' },
      errors: [
        {
          message: 'The request carries no bearer token',
          path: ['closed'],
          locations: expect.any(Array),
          extensions: { code: 'UNAUTHENTICATED', errorCode: 'token_missing' },
        },
      ],
    });
  });

  test('gives each field the claims that its own guard verified', async () => {
    const { url, jwt } = await start({ providers: [FieldsResolver], imports: [graphqlModule()] });
    const own = await ask(url, '{ closed internalOnly again: closed }', await jwt.sign({ sub: 'user-42' }));
    expect(own.data).toEqual({ closed: 'user-42', internalOnly: null, again: 'user-42' });
    const { internalToken } = (await ask(url, '{ internalToken }')).data;
    const internal = await ask(url, '{ closed internalOnly }', internalToken ?? '');
    expect(internal.data).toEqual({ closed: null, internalOnly: 'service' });
    expect(internal.errors).toMatchObject([
      { path: ['closed'], extensions: { errorCode: 'token_key_unknown' } },
    ]);
  });

  test('is told of no line of the program, in development either', async () => {
    const { NODE_ENV } = process.env;
    onTestFinished(() => void (process.env.NODE_ENV = NODE_ENV));
    delete process.env.NODE_ENV;
    const { url } = await start({ providers: [FieldsResolver], imports: [graphqlModule()] });
    const answer = JSON.stringify(await ask(url, '{ closed }'));
    expect(answer).toContain('token_missing');
    expect(answer).not.toMatch(/\.[jt]s\b|file:|node:/);
  });

  @ObjectType()
  class Profile {
    @Field(() => String) id = 'profile';
    @Field(() => String) owner?: string;
  }

  @Resolver(() => Profile)
  class ProfileResolver {
    @UseGuards(KmsJwtGuard) @Query(() => Profile) profile() {
      return new Profile();
    }
    @ResolveField(() => String) owner(@Claims('sub') sub?: string) {
      return sub ?? 'nobody';
    }
    @Query(() => Profile) openProfile() {
      return new Profile();
    }
  }

  test('gives a @ResolveField() that no guard is asked for the claims of its root, and of no other', async () => {
    const { url, jwt } = await start({
      providers: [ProfileResolver, FieldsResolver],
      imports: [graphqlModule()],
    });
    const query = '{ open openProfile { owner } profile { owner } again: profile { owner } last: open }';
    expect((await ask(url, query, await jwt.sign({ sub: 'user-42' }))).data).toEqual({
      open: 'open',
      openProfile: { owner: 'nobody' },
      profile: { owner: 'user-42' },
      again: { owner: 'user-42' },
      last: 'open',
    });
  });
});

function graphqlWsClient(url: string, connectionParams: Record<string, string>) {
  const client = createClient({
    url: url.replace('http', 'ws'),
    connectionParams,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    // One connection for all operations.
    lazyCloseTimeout: 60_000,
  });
  onTestFinished(() => client.dispose());
  return client;
}

async function subscribe(url: string, connectionParams: Record<string, string> = {}) {
  const client = graphqlWsClient(url, connectionParams);
  const { value } = await client.iterate({ query: 'subscription { ticks }' }).next();
  return value as object;
}

const parametersWithoutUse = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '']));

describe('a connection of graphql-ws', () => {
  @Resolver()
  @UseGuards(KmsJwtGuard)
  class TicksResolver {
    @Query(() => String) hello() {
      return 'hello';
    }
    @Subscription(() => String) async *ticks(@Claims('sub') sub: string) {
      yield { ticks: sub };
    }
  }

  const REFUSED = { errors: [{ extensions: { errorCode: 'token_missing' } }] };

  test.each<[string, TokenExtractor]>([
    ['fromQuery', fromQuery('access_token')],
    ['fromUrlQueryParameter of passport-jwt', ExtractJwt.fromUrlQueryParameter('access_token')],
  ])('may have its token in its URL: %s', async (_, tokenFrom) => {
    const { url, jwt } = await start({
      providers: [TicksResolver],
      imports: [graphqlModule()],
      options: { tokenFrom },
    });
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await subscribe(`${url}/graphql?access_token=${token}`)).toEqual({ data: { ticks: 'user-42' } });
    expect(await subscribe(`${url}/graphql`, { access_token: token })).toMatchObject(REFUSED);
  });

  test('has none of its parameters where they are more than anybody needs', async () => {
    const { url, jwt } = await start({ providers: [TicksResolver], imports: [graphqlModule()] });
    const authorization = `Bearer ${await jwt.sign({ sub: 'user-42' })}`;
    const few = await subscribe(`${url}/graphql`, { ...parametersWithoutUse(99), authorization });
    expect(few).toEqual({ data: { ticks: 'user-42' } });
    const many = await subscribe(`${url}/graphql`, { ...parametersWithoutUse(100), authorization });
    expect(many).toMatchObject(REFUSED);
  });

  test('reads its parameters once, however many operations follow', async () => {
    let reads = 0;
    const onConnect = ({ connectionParams }: { connectionParams?: object }) => {
      Object.defineProperty(connectionParams, 'authorization', {
        get: () => `Bearer nonsense ${(reads += 1)}`,
        enumerable: true,
      });
    };
    const subscriptions = { 'graphql-ws': { onConnect } };
    const { url } = await start({ providers: [TicksResolver], imports: [graphqlModule(subscriptions)] });
    const client = graphqlWsClient(`${url}/graphql`, { token: '' });
    for (let operation = 0; operation < 5; operation += 1) {
      const { value } = await client.iterate({ query: '{ a: hello b: hello c: hello }' }).next();
      expect(value).toMatchObject({ errors: [{ extensions: { errorCode: 'token_malformed' } }] });
    }
    expect(reads).toBe(1);
  });
});

describe('a call of gRPC', () => {
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

  test.each(
    [BrokenGuard, ThrowingGuard].flatMap((guard) =>
      doorsGuardedBy(guard).map((door) => [door.name, guard.name, door] as const),
    ),
  )('ends, and the process does not, where a subclass fails: %s, %s', async (name, guard, door) => {
    const rejections = watchRejections();
    const app = await door.start(kmsJwtOver(new LocalKms({ keys: [{ alias: 'auth' }] })));
    onTestFinished(async () => void (await app.close()));
    const received = await app.call(guard === 'BrokenGuard' ? 'any' : undefined);
    // Where Nest hands the call on whole, nobody but the guard can end it; else Nest's filter does, with UNKNOWN.
    expect(received).toMatchObject(
      name.includes('@GrpcStreamCall()') ? { code: 13, details: 'Internal Server Error' } : { code: 2 },
    );
    expect(JSON.stringify(received)).not.toContain('away');
    expect(rejections).toEqual([]);
  });
});
