import { fileURLToPath } from 'node:url';
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Controller, type DynamicModule, Module, type Type, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Ctx,
  GrpcMethod,
  GrpcStreamCall,
  GrpcStreamMethod,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { Claims, type JwtClaims, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { of } from 'rxjs';
import type { Refusal } from './cases.js';
import { type Answer, answerTo, type Endpoint, type EndpointFamily, SCOPE } from './app-under-test.js';
import { freePort } from '../support/free-port.js';

const PROTO = fileURLToPath(new URL('./orders.proto', import.meta.url));

type Callback = (error: ServiceError | null, answer?: Answer) => void;

function controllerGuardedBy(guard: typeof KmsJwtGuard): Type {
  @Controller()
  @UseGuards(guard)
  @Scopes(SCOPE)
  class OrdersController {
    @GrpcMethod('Orders') read(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
      return answerTo(claims, sub);
    }
    @GrpcMethod('Orders') watch(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
      return of(answerTo(claims, sub));
    }
    @GrpcStreamMethod('Orders') upload(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
      return of(answerTo(claims, sub));
    }
    @GrpcStreamMethod('Orders') chat(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
      return of(answerTo(claims, sub));
    }
    @GrpcStreamCall('Orders') uploadCall(
      @Ctx() callback: Callback,
      @Claims() claims: JwtClaims,
      @Claims('sub') sub: string,
    ) {
      callback(null, answerTo(claims, sub));
    }
    @GrpcStreamCall('Orders') chatCall(
      @Payload() call: { write(answer: Answer): void; end(): void },
      @Claims() claims: JwtClaims,
      @Claims('sub') sub: string,
    ) {
      call.write(answerTo(claims, sub));
      call.end();
    }
  }
  return OrdersController;
}

/** The client that grpc-js generates from orders.proto. */
interface OrdersClient extends Client {
  read: Unary;
  watch: ServerStream;
  upload: ClientStream;
  chat: BothWays;
  uploadCall: ClientStream;
  chatCall: BothWays;
}

type Unary = (question: object, metadata: Metadata, callback: Callback) => unknown;
type ServerStream = (question: object, metadata: Metadata) => NodeJS.ReadableStream;
type ClientStream = (metadata: Metadata, callback: Callback) => NodeJS.WritableStream;
type BothWays = (metadata: Metadata) => NodeJS.ReadWriteStream;

const METHODS: Record<string, (client: OrdersClient, metadata: Metadata, callback: Callback) => void> = {
  unary: (client, metadata, callback) => void client.read({}, metadata, callback),
  'server stream': (client, metadata, callback) => firstOf(client.watch({}, metadata), callback),
  'client stream': (client, metadata, callback) => client.upload(metadata, callback).end(),
  'bidirectional stream': (client, metadata, callback) => firstOf(client.chat(metadata).end(), callback),
  'client stream with @GrpcStreamCall()': (client, metadata, callback) =>
    client.uploadCall(metadata, callback).end(),
  'bidirectional stream with @GrpcStreamCall()': (client, metadata, callback) =>
    firstOf(client.chatCall(metadata).end(), callback),
};

function firstOf(stream: NodeJS.ReadableStream, callback: Callback): void {
  stream.on('data', (answer: Answer) => callback(null, answer)).on('error', callback);
}

/** One endpoint for each kind of method. */
export const endpointsGuardedBy = (guard: typeof KmsJwtGuard): Endpoint[] =>
  Object.entries(METHODS).map(([name, callMethod]) => ({
    name,
    async start(kmsJwt: DynamicModule) {
      @Module({ imports: [kmsJwt], controllers: [controllerGuardedBy(guard)] })
      class AppModule {}
      const url = `127.0.0.1:${await freePort()}`;
      const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
        transport: Transport.GRPC,
        options: { package: 'orders', protoPath: PROTO, url },
        logger: false,
      });
      await app.listen();
      const { orders } = loadPackageDefinition(loadSync(PROTO)) as unknown as {
        orders: { Orders: new (...args: ConstructorParameters<typeof Client>) => OrdersClient };
      };
      const client = new orders.Orders(url, credentials.createInsecure());
      return {
        call: (token) =>
          new Promise((resolve) => {
            const metadata = new Metadata();
            if (token) metadata.set('authorization', `Bearer ${token}`);
            callMethod(client, metadata, (error, answer) => resolve(error ? statusOf(error) : { answer }));
          }),
        async close() {
          client.close();
          await app.close();
        },
      };
    },
  }));

function statusOf({ code, details, metadata }: ServiceError) {
  const { date: _, 'content-type': __, ...trailers } = metadata.getMap();
  return { code, details, trailers };
}

const STATUSES: Record<Refusal['statusCode'], number> = { 400: 3, 401: 16, 403: 7, 503: 14 };

export const grpc: EndpointFamily = {
  name: 'gRPC',
  endpoints: endpointsGuardedBy(KmsJwtGuard),
  admitted: (answer) => ({ answer }),
  refused: ({ statusCode, message, errorCode }) => ({
    code: STATUSES[statusCode],
    details: message,
    trailers: { 'error-code': errorCode },
  }),
};
