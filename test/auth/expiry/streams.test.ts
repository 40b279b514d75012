import { connect as connectHttp2 } from 'node:http2';
import { fileURLToPath } from 'node:url';
import { type Client, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Controller, Get, Sse, StreamableFile, UseGuards, UseInterceptors } from '@nestjs/common';
import { GraphQLModule, Query, Resolver, Subscription } from '@nestjs/graphql';
import {
  ClientProxyFactory,
  GrpcMethod,
  GrpcStreamMethod,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { fromBody, KmsJwtExpiryInterceptor, KmsJwtGuard } from 'nestjs-kms-jwt';
import { finalize, interval, lastValueFrom, map, merge, type Observable, tap } from 'rxjs';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../../transports/free-port.js';
import { ENDS } from '../../transports/ends.js';
import { watchRejections } from '../../transports/rejections.js';
import { bearer, startApp } from '../support.js';
import { soon } from './support.js';

const producers = new Set<object>();
let rejections: unknown[];

beforeEach(() => {
  producers.clear();
  rejections = watchRejections();
});
afterEach(() => expect(rejections).toEqual([]));

/** Emits until it is stopped, and is counted as long as it runs. */
function produce(): Observable<{ data: string; sub: string }> {
  const producer = {};
  producers.add(producer);
  return interval(20).pipe(
    map(() => ({ data: 'x', sub: 'x' })),
    finalize(() => producers.delete(producer)),
  );
}

const secondsSince = (exp: number) => Date.now() / 1000 - exp;

function expectEndWithinASecondOf(exp: number) {
  expect(secondsSince(exp)).toBeGreaterThanOrEqual(-0.05);
  expect(secondsSince(exp)).toBeLessThan(1);
}

const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The producers that still run, once they have had a second to stop. */
async function running() {
  const deadline = Date.now() + 1000;
  while (producers.size > 0 && Date.now() < deadline) await nap(10);
  return producers.size;
}

async function* chunks() {
  for (let index = 0; index < 25; index += 1) {
    await nap(100);
    yield 'x';
  }
}

@Controller()
@UseGuards(KmsJwtGuard)
class HttpController {
  @Sse('events') events() {
    return produce();
  }
  @Get('download') download() {
    return new StreamableFile(Readable.from(chunks()));
  }
}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('over HTTP/1 on %s', (_, newAdapter) => {
  test('events of @Sse() end within a second of exp, and so does their producer', async () => {
    const { get, jwt } = await startApp({ controllers: [HttpController], adapter: newAdapter() });
    const exp = soon();
    const response = await get('/events', bearer(await jwt.sign({ exp })));
    expect(await response.text()).toContain('data: x');
    expectEndWithinASecondOf(exp);
    expect(await running()).toBe(0);
  });

  test('a download is not cut off', async () => {
    const { get, jwt } = await startApp({ controllers: [HttpController], adapter: newAdapter() });
    const exp = soon();
    const response = await get('/download', bearer(await jwt.sign({ exp })));
    expect(await response.text()).toHaveLength(25);
    expect(secondsSince(exp)).toBeGreaterThan(0);
  });
});

test('over HTTP/2 events of @Sse() end within a second of exp, and other streams of the session go on', async () => {
  const adapter = new FastifyAdapter({ http2: true } as never);
  const { url, jwt } = await startApp({ controllers: [HttpController], adapter });
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  const exp = soon();
  const open = async (seconds: number) => {
    const stream = session.request({ ':path': '/events', ...bearer(await jwt.sign({ exp: seconds })) });
    stream.resume();
    return { stream, closed: new Promise((resolve) => stream.once('close', resolve)) };
  };
  const [short, long] = [await open(exp), await open(exp + 60)];
  await short.closed;
  expectEndWithinASecondOf(exp);
  expect(long.stream.closed).toBe(false);
});

test('a subscription over graphql-ws ends within a second of exp by 4403, at which clients connect again', async () => {
  @Resolver()
  class PricesResolver {
    @Query(() => String) price() {
      return '1';
    }
    @UseGuards(KmsJwtGuard) @Subscription(() => String) async *prices() {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        yield { prices: '1' };
      }
    }
  }
  const { url, jwt } = await startApp({
    providers: [PricesResolver],
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        subscriptions: { 'graphql-ws': true },
      }),
    ],
  });
  const exp = soon();
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  const payload = bearer(await jwt.sign({ exp }));
  socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
  let events = 0;
  socket.on('message', (message: Buffer) => {
    const { type } = JSON.parse(message.toString()) as { type: string };
    if (type === 'next') events += 1;
    if (type !== 'connection_ack') return;
    socket.send(
      JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { prices }' } }),
    );
  });
  const [code, reason] = await new Promise<[number, string]>((resolve) =>
    socket.on('close', (...why) => resolve([why[0], why[1].toString()])),
  );
  expect(`${code} ${reason}`).toBe(ENDS['graphql-ws'].closed);
  expect(events).toBeGreaterThan(0);
  expectEndWithinASecondOf(exp);
});

describe('over gRPC', () => {
  const PROTO = fileURLToPath(new URL('./prices.proto', import.meta.url));

  @Controller()
  @UseGuards(KmsJwtGuard)
  class GrpcController {
    @GrpcMethod('Prices', 'Watch') watch() {
      return produce();
    }
    @GrpcStreamMethod('Prices', 'Talk') talk(messages: Observable<unknown>) {
      // Errors of the client's stream are not handled here: the end must not be one.
      messages.subscribe(() => {});
      return merge(
        produce(),
        messages.pipe(
          tap(() => {}),
          map(() => ({ sub: 'answer' })),
        ),
      );
    }
  }

  interface PricesClient extends Client {
    watch(request: object, metadata: Metadata): NodeJS.ReadableStream;
    talk(metadata: Metadata): NodeJS.ReadWriteStream;
  }

  test.each(['watch', 'talk'] as const)(
    'the stream of %s ends within a second of exp with status 16',
    async (method) => {
      const { app, jwt } = await startApp({ controllers: [GrpcController] });
      const url = `127.0.0.1:${await freePort()}`;
      app.connectMicroservice<MicroserviceOptions>({
        transport: Transport.GRPC,
        options: { package: 'prices', protoPath: PROTO, url },
      });
      await app.startAllMicroservices();
      const { prices } = loadPackageDefinition(loadSync(PROTO)) as unknown as {
        prices: { Prices: new (...args: ConstructorParameters<typeof Client>) => PricesClient };
      };
      const client = new prices.Prices(url, credentials.createInsecure());
      onTestFinished(() => client.close());
      const exp = soon();
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${await jwt.sign({ exp })}`);
      const stream = method === 'watch' ? client.watch({}, metadata) : client.talk(metadata);
      let messages = 0;
      stream.on('data', () => (messages += 1));
      if (method === 'talk') (stream as NodeJS.ReadWriteStream).write({ sub: 'question' } as never);
      const error = await new Promise((resolve) => stream.on('error', resolve));
      const { status, details } = ENDS['gRPC, server and bidirectional streams'];
      expect(error).toMatchObject({ code: status, details });
      expect(messages).toBeGreaterThan(0);
      expectEndWithinASecondOf(exp);
      expect(await running()).toBe(0);
    },
  );
});

test('over TCP an Observable ends within a second of exp with KmsJwtExpiryInterceptor', async () => {
  @Controller()
  @UseGuards(KmsJwtGuard)
  class TcpController {
    @UseInterceptors(KmsJwtExpiryInterceptor) @MessagePattern('prices') prices() {
      return produce();
    }
  }
  const { app, jwt } = await startApp({
    controllers: [TcpController],
    options: { guard: { tokenFrom: fromBody('token') } },
  });
  const options = { host: '127.0.0.1', port: await freePort() };
  app.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options });
  await app.startAllMicroservices();
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
  onTestFinished(() => void client.close());
  const exp = soon();
  const answer = lastValueFrom(client.send('prices', { token: await jwt.sign({ exp }) }));
  await expect(answer).rejects.toEqual(
    ENDS['Observables over TCP, Redis, NATS, with `KmsJwtExpiryInterceptor`'].error,
  );
  expectEndWithinASecondOf(exp);
  expect(await running()).toBe(0);
});
