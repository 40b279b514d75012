import { fileURLToPath } from 'node:url';
import { type Client, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Controller, UseGuards, UseInterceptors } from '@nestjs/common';
import {
  ClientProxyFactory,
  GrpcMethod,
  GrpcStreamMethod,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { fromBody, KmsJwtExpiryInterceptor, KmsJwtGuard } from 'nestjs-kms-jwt';
import { lastValueFrom, map, merge, type Observable, tap } from 'rxjs';
import { describe, test } from 'vitest';
import { watchRejections } from '../../transports/rejections.js';
import { freePort } from '../../support/free-port.js';
import { ENDS } from '../../transports/ends.js';
import { startApp } from '../support.js';
import { expectEndWithinASecondOf, newProducers, type Producers, soon } from './support.js';

function grpcController(producers: Producers) {
  @Controller()
  @UseGuards(KmsJwtGuard)
  class GrpcController {
    @GrpcMethod('Prices', 'Watch') watch() {
      return producers.produce();
    }
    @GrpcStreamMethod('Prices', 'Talk') talk(messages: Observable<unknown>) {
      // Without an error handler: the end of the client's stream must not be an error.
      messages.subscribe(() => {});
      return merge(
        producers.produce(),
        messages.pipe(
          tap(() => {}),
          map(() => ({ sub: 'answer' })),
        ),
      );
    }
  }
  return GrpcController;
}

describe.concurrent('over gRPC', () => {
  const PROTO = fileURLToPath(new URL('./prices.proto', import.meta.url));

  interface PricesClient extends Client {
    watch(request: object, metadata: Metadata): NodeJS.ReadableStream;
    talk(metadata: Metadata): NodeJS.ReadWriteStream;
  }

  test.for(['watch', 'talk'] as const)(
    'the stream of %s ends within a second of exp with status 16',
    async (method, { expect, onTestFinished }) => {
      const producers = newProducers();
      const rejections = watchRejections(onTestFinished);
      const { app, jwt } = await startApp({ controllers: [grpcController(producers)], onTestFinished });
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
      const exp = soon(2);
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
      expect(await producers.running()).toBe(0);
      expect(rejections).toEqual([]);
    },
  );
});

test.concurrent(
  'over TCP an Observable with KmsJwtExpiryInterceptor ends within a second of exp',
  async ({ expect, onTestFinished }) => {
    const producers = newProducers();
    const rejections = watchRejections(onTestFinished);
    @Controller()
    @UseGuards(KmsJwtGuard)
    class TcpController {
      @UseInterceptors(KmsJwtExpiryInterceptor) @MessagePattern('prices') prices() {
        return producers.produce();
      }
    }
    const { app, jwt } = await startApp({
      controllers: [TcpController],
      options: { guard: { tokenFrom: fromBody('token') } },
      onTestFinished,
    });
    const options = { host: '127.0.0.1', port: await freePort() };
    app.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options });
    await app.startAllMicroservices();
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
    onTestFinished(() => void client.close());
    const exp = soon(2);
    const answer = lastValueFrom(client.send('prices', { token: await jwt.sign({ exp }) }));
    await expect(answer).rejects.toEqual(
      ENDS['Observables over TCP, Redis, NATS, with `KmsJwtExpiryInterceptor`'].error,
    );
    expectEndWithinASecondOf(exp);
    expect(await producers.running()).toBe(0);
    expect(rejections).toEqual([]);
  },
);
