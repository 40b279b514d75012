import { once } from 'node:events';
import { STATUS_CODES } from 'node:http';
import { fileURLToPath } from 'node:url';
import { type Client, credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Controller,
  type DynamicModule,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  type Provider,
  type Type,
  UseFilters,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Args, GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import {
  ClientProxyFactory,
  GrpcMethod,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { KmsJwtExceptionFilter, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { lastValueFrom } from 'rxjs';
import { io } from 'socket.io-client';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../support/free-port.js';

const PROTO = fileURLToPath(new URL('../transports/orders.proto', import.meta.url));

/** What a handler does; each of these fails with another error. */
type Task = 'verify' | 'sign' | 'mistake';

@Injectable()
class Worker {
  constructor(@Inject(KmsJwtService) private readonly jwt: KmsJwtService) {}
  async do(task: Task): Promise<string> {
    if (task === 'verify') return (await this.jwt.verify('nonsense')).sub ?? '';
    return this.jwt.sign(task === 'sign' ? {} : { exp: 'soon' });
  }
}

class Handlers {
  constructor(@Inject(Worker) protected readonly worker: Worker) {}
}

@Controller()
@UseFilters(KmsJwtExceptionFilter)
class HttpHandlers extends Handlers {
  @Get(':task') handle(@Param('task') task: Task) {
    return this.worker.do(task);
  }
}

@Resolver()
@UseFilters(KmsJwtExceptionFilter)
class GraphqlHandlers extends Handlers {
  @Query(() => String) work(@Args('task', { type: () => String }) task: Task) {
    return this.worker.do(task);
  }
}

@WebSocketGateway()
@UseFilters(KmsJwtExceptionFilter)
class WebSocketHandlers extends Handlers {
  @SubscribeMessage('work') handle(@MessageBody() task: Task) {
    return this.worker.do(task);
  }
}

@Controller()
@UseFilters(KmsJwtExceptionFilter)
class RpcHandlers extends Handlers {
  @MessagePattern('work') handle(@Payload() { task }: { task: Task }) {
    return this.worker.do(task);
  }
  @GrpcMethod('Orders') read(@Payload() { task }: { task: Task }) {
    return this.worker.do(task);
  }
}

const FAILURES = [
  {
    task: 'verify',
    statusCode: 401,
    message: 'The token does not have three parts',
    errorCode: 'token_malformed',
    headers: {
      challenge: 'Bearer error="invalid_token", error_description="The token does not have three parts"',
      retryAfter: null,
    },
    code: 'UNAUTHENTICATED',
    status: 16,
  },
  {
    task: 'sign',
    statusCode: 503,
    message: 'Service Unavailable',
    errorCode: 'kms_unavailable',
    headers: { challenge: null, retryAfter: '1' },
    code: 'SERVICE_UNAVAILABLE',
    status: 14,
  },
  {
    task: 'mistake',
    statusCode: 500,
    message: 'Internal Server Error',
    errorCode: 'options_invalid',
    headers: { challenge: null, retryAfter: null },
    code: 'INTERNAL_SERVER_ERROR',
    status: 13,
  },
] as const;

let close: () => unknown;

/** The handlers of one transport, with a KMS that throttles Sign. */
function moduleOf(handlers: {
  controllers?: Type[];
  providers?: Provider[];
  imports?: DynamicModule[];
}): Type {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  localKms.inject({ kind: 'throttle', operation: 'Sign' });
  @Module({
    imports: [
      KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }) }),
      ...(handlers.imports ?? []),
    ],
    controllers: handlers.controllers ?? [],
    providers: [Worker, ...(handlers.providers ?? [])],
  })
  class AppModule {}
  return AppModule;
}

async function listen(
  handlers: Parameters<typeof moduleOf>[0],
  newAdapter?: (app: object) => IoAdapter | WsAdapter,
) {
  const app = await NestFactory.create(moduleOf(handlers), { logger: false });
  close = () => app.close();
  if (newAdapter) app.useWebSocketAdapter(newAdapter(app));
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}

async function serve(options: MicroserviceOptions) {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(
    moduleOf({ controllers: [RpcHandlers] }),
    { ...options, logger: false },
  );
  close = () => app.close();
  await app.listen();
}

afterEach(() => close());

describe('on HTTP', () => {
  test.each(FAILURES)(
    'answers an error of $task as the guard does',
    async ({ task, statusCode, message, errorCode, headers }) => {
      const url = await listen({ controllers: [HttpHandlers] });
      const response = await fetch(`${url}/${task}`);
      expect(response.status).toBe(statusCode);
      expect({
        challenge: response.headers.get('www-authenticate'),
        retryAfter: response.headers.get('retry-after'),
      }).toEqual(headers);
      expect(await response.json()).toEqual({
        statusCode,
        message,
        error: STATUS_CODES[statusCode],
        errorCode,
      });
    },
  );
});

describe('on GraphQL', () => {
  test.each(FAILURES)(
    'answers an error of $task as the guard does',
    async ({ task, message, errorCode, code }) => {
      const url = await listen({
        providers: [GraphqlHandlers],
        imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true })],
      });
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: `{ work(task: "${task}") }` }),
      });
      expect(await response.json()).toEqual({
        data: null,
        errors: [{ message, path: ['work'], locations: expect.any(Array), extensions: { code, errorCode } }],
      });
    },
  );
});

describe('on WebSockets', () => {
  test.each(FAILURES)(
    'of socket.io, answers an error of $task as the guard does',
    async ({ task, ...failure }) => {
      const url = await listen({ providers: [WebSocketHandlers] }, (app) => new IoAdapter(app));
      const socket = io(url, { transports: ['websocket'], reconnection: false, forceNew: true });
      try {
        const told = new Promise((resolve) => socket.on('exception', resolve));
        socket.emit('work', task);
        const { statusCode, message, errorCode } = failure;
        expect(await told).toEqual({ status: 'error', statusCode, message, errorCode });
      } finally {
        socket.close();
      }
    },
  );

  test.each(FAILURES)('of ws, answers an error of $task as the guard does', async ({ task, ...failure }) => {
    const url = await listen({ providers: [WebSocketHandlers] }, (app) => new WsAdapter(app));
    const socket = new WebSocket(url);
    try {
      await once(socket, 'open');
      socket.send(JSON.stringify({ event: 'work', data: task }));
      const [told] = (await once(socket, 'message')) as [Buffer];
      const { statusCode, message, errorCode } = failure;
      expect(JSON.parse(told.toString())).toEqual({
        event: 'exception',
        data: { status: 'error', statusCode, message, errorCode },
      });
    } finally {
      socket.terminate();
    }
  });
});

describe('on microservices', () => {
  test.each(FAILURES)(
    'over TCP, answers an error of $task as the guard does',
    async ({ task, ...failure }) => {
      const options = { host: '127.0.0.1', port: await freePort() };
      await serve({ transport: Transport.TCP, options });
      const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
      const { statusCode, message, errorCode } = failure;
      await expect(lastValueFrom(client.send('work', { task }))).rejects.toEqual({
        status: 'error',
        statusCode,
        message,
        errorCode,
      });
      await client.close();
    },
  );

  test.each(FAILURES)(
    'over gRPC, answers an error of $task as the guard does',
    async ({ task, ...failure }) => {
      const url = `127.0.0.1:${await freePort()}`;
      await serve({ transport: Transport.GRPC, options: { package: 'orders', protoPath: PROTO, url } });
      const { orders } = loadPackageDefinition(loadSync(PROTO)) as unknown as {
        orders: { Orders: new (...args: ConstructorParameters<typeof Client>) => GrpcClient };
      };
      const client = new orders.Orders(url, credentials.createInsecure());
      const error = await new Promise<ServiceError | null>((resolve) => client.read({ task }, resolve));
      expect(error).toMatchObject({ code: failure.status, details: failure.message });
      expect(error?.metadata.get('error-code')).toEqual([failure.errorCode]);
      client.close();
    },
  );
});

interface GrpcClient extends Client {
  read(question: { task: Task }, callback: (error: ServiceError | null) => void): unknown;
}
