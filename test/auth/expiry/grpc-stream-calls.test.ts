import { type EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Controller, UseGuards } from '@nestjs/common';
import { Ctx, GrpcStreamCall, type MicroserviceOptions, Payload, Transport } from '@nestjs/microservices';
import { KmsJwtGuard } from 'nestjs-kms-jwt';
import { test } from 'vitest';
import { freePort } from '../../support/free-port.js';
import { watchRejections } from '../../transports/rejections.js';
import { startApp } from '../support.js';
import { soon } from './support.js';

const PROTO = fileURLToPath(new URL('./prices.proto', import.meta.url));

interface Price {
  sub: string;
}

interface ServerCall extends EventEmitter, AsyncIterable<Price> {
  cancelled: boolean;
  write(price: Price): unknown;
  end(): unknown;
}

/**
 * Nest does not catch errors of these handlers: a rejection would end the process.
 *
 * @param ended collects the names of handlers that have read their client's stream to its end
 */
function grpcController(ended: string[]) {
  @Controller()
  @UseGuards(KmsJwtGuard)
  class GrpcController {
    @GrpcStreamCall('Prices') async collectCall(
      @Payload() call: ServerCall,
      @Ctx() callback: (error: null, price: Price) => void,
    ) {
      for await (const _ of call);
      ended.push('collectCall');
      callback(null, { sub: 'too late' });
    }
    @GrpcStreamCall('Prices') async echoCall(@Payload() call: ServerCall) {
      for await (const price of call) {
        if (price.sub === 'late' && !call.cancelled) await once(call, 'cancelled');
        call.write(price);
      }
      ended.push('echoCall');
      call.end();
    }
  }
  return GrpcController;
}

interface PricesClient extends Client {
  collectCall(
    metadata: Metadata,
    callback: (error: ServiceError | null) => void,
  ): NodeJS.WritableStream & { write(price: Price): unknown };
  echoCall(metadata: Metadata): NodeJS.ReadWriteStream & { write(price: Price): unknown };
}

/** A message at which the handler waits until the call is cancelled, and writes then. */
const LATE = { sub: 'late' };

// Concurrent, because they wait for real time to pass.
test.concurrent.for([
  ['collectCall', []],
  ['echoCall', []],
  ['echoCall', [LATE, LATE]],
] as const)(
  'when the token of a %s call expires, its @GrpcStreamCall() handler reads the end of the stream: %j',
  async ([method, further], { expect, onTestFinished }) => {
    const ended: string[] = [];
    const rejections = watchRejections(onTestFinished);
    const { app, jwt } = await startApp({ controllers: [grpcController(ended)], onTestFinished });
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

    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${await jwt.sign({ exp: soon(2) })}`);
    const error = await new Promise((resolve) => {
      const messages = [{ sub: 'question' }, ...further];
      if (method === 'collectCall') {
        const call = client.collectCall(metadata, resolve);
        for (const price of messages) call.write(price);
      } else {
        const call = client.echoCall(metadata);
        call.on('data', () => {});
        call.on('error', resolve);
        for (const price of messages) call.write(price);
      }
    });
    expect(error).toMatchObject({ code: 16, details: 'The token has expired' });
    await expect.poll(() => ended).toContain(method);
    // A rejection of the handler would arrive a moment later.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(rejections).toEqual([]);
  },
);
