import { join } from 'node:path';
import { credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { type INestApplication, Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { Transport } from '@nestjs/microservices';
import { WebSocketGateway } from '@nestjs/websockets';
import { KmsJwtGuard, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { io } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../support/free-port.js';
import { init, localKms, useKms } from './kms.js';
import { compile, ROOT } from './support.js';

const { load } = await compile('transports');
useKms({ alias: 'auth' });

/** Starts an app with one gateway, and signs a token. */
async function startGateway(gateway: unknown, prepare: (app: INestApplication) => unknown) {
  @Module({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() })],
    providers: [KmsJwtGuard, gateway as never],
  })
  class SocketsModule {}
  const app = (await init(SocketsModule as never)).createNestApplication({ logger: false });
  prepare(app);
  await app.listen(0, '127.0.0.1');
  const token = await app.get(KmsJwtService, { strict: false }).sign({});
  return { app, url: await app.getUrl(), token };
}

describe('docs/transports.md', () => {
  test('the code for GraphQL, WebSockets and gRPC works', async () => {
    const { ProfileResolver, ProfileGateway, ProfileGrpcController } = await load(
      'src/recipes/profile.transports.js',
    );
    @Module({
      imports: [
        KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() }),
        GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true }),
      ],
      controllers: [ProfileGrpcController as never],
      providers: [ProfileResolver as never, ProfileGateway as never],
    })
    class TransportsModule {}
    const app = (await init(TransportsModule as never)).createNestApplication({ logger: false });
    const grpcPort = await freePort();
    const protoPath = join(ROOT, 'examples/token-service/src/profile.proto');
    app.connectMicroservice({
      transport: Transport.GRPC,
      options: { package: 'profile', protoPath, url: `127.0.0.1:${grpcPort}` },
    });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const token = await app.get(KmsJwtService, { strict: false }).sign({ sub: 'user-42' });
    const authorization = `Bearer ${token}`;

    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ query: '{ me }' }),
    });
    expect(await answer.json()).toEqual({ data: { me: 'user-42' } });

    const socket = io(url, { auth: { token }, forceNew: true });
    socket.emit('me');
    expect(await new Promise((resolve) => socket.once('me', resolve))).toBe('user-42');
    socket.disconnect();

    const { profile } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
      profile: {
        ProfileService: new (
          address: string,
          security: unknown,
        ) => Record<string, (...args: unknown[]) => void>;
      };
    };
    const client = new profile.ProfileService(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', authorization);
    const reply = await new Promise((resolve) =>
      client['Me']?.({}, metadata, (_: unknown, value: unknown) => resolve(value)),
    );
    expect(reply).toEqual({ name: 'user-42' });
    client['close']?.();
    await app.close();
  });

  test('the code for handshakes refuses one without a token', async () => {
    const { useSockets, NewsGateway } = await load('src/recipes/handshakes.js');
    @WebSocketGateway()
    class WsGateway {}
    const ofWs = await startGateway(WsGateway, useSockets as never);
    const open = async (headers: Record<string, string>) => {
      const client = new WebSocket(ofWs.url, { headers });
      const outcome = await new Promise((resolve) => {
        client.on('open', () => resolve('open')).on('error', ({ message }) => resolve(message));
      });
      client.terminate();
      return outcome;
    };
    expect(await open({})).toBe('Unexpected server response: 401');
    expect(await open({ authorization: `Bearer ${ofWs.token}` })).toBe('open');
    await ofWs.app.close();

    const ofSocketIo = await startGateway(NewsGateway, () => {});
    const connect = async (auth: object) => {
      const client = io(ofSocketIo.url, { auth, forceNew: true });
      const outcome = await new Promise((resolve) => {
        client.on('connect', () => resolve('connect'));
        client.on('connect_error', (error: Error & { data?: unknown }) => resolve(error.data));
      });
      const isRetrying = client.active && !client.connected;
      client.disconnect();
      return { outcome, isRetrying };
    };
    expect(await connect({})).toMatchObject({ outcome: { errorCode: 'token_missing' }, isRetrying: false });
    expect(await connect({ token: ofSocketIo.token })).toMatchObject({ outcome: 'connect' });
    await ofSocketIo.app.close();
  });
});
