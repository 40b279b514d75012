import { Metadata } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  KafkaContext,
  MqttContext,
  NatsContext,
  RedisContext,
  RmqContext,
  RpcException,
  TcpContext,
} from '@nestjs/microservices';
import {
  fromAuthHeader,
  fromBody,
  type JwtClaims,
  KmsJwtGuard,
  KmsJwtModule,
  KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

@Controller()
class Handlers {
  static handle(this: void): void {}
}

/** Headers as in the package `nats`: a name may have several values. */
class MsgHdrs {
  constructor(private readonly entries: [string, string[]][]) {}
  keys() {
    return this.entries.map(([name]) => name);
  }
  values(name: string) {
    return this.entries.find(([key]) => key === name)?.[1] ?? [];
  }
}

const metadataOf = (...values: string[]) => {
  const metadata = new Metadata();
  for (const value of values) metadata.add('authorization', value);
  return metadata;
};

const natsWith = (...entries: [string, string[]][]) => new NatsContext(['orders', new MsgHdrs(entries)]);
const rmqWith = (headers?: object) => new RmqContext([{ properties: { headers } }, {}, 'orders']);
const kafkaWith = (headers?: object) =>
  new KafkaContext([
    { headers } as never,
    0,
    'orders',
    undefined as never,
    undefined as never,
    undefined as never,
  ]);
const mqttWith = (properties?: object) => new MqttContext(['orders', { properties }]);

let app: Awaited<ReturnType<typeof NestFactory.createApplicationContext>>;
let guard: KmsJwtGuard;
let token: string;

beforeAll(async () => {
  const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client();
  app = await NestFactory.createApplicationContext(
    {
      module: Handlers,
      imports: [
        KmsJwtModule.forRoot({
          keyId: 'alias/auth',
          client,
          isGlobal: true,
          guard: { tokenFrom: [fromAuthHeader(), fromBody('access_token')] },
        }),
      ],
      providers: [KmsJwtGuard],
    },
    { logger: false },
  );
  guard = app.get(KmsJwtGuard);
  token = await app.get(KmsJwtService, { strict: false }).sign({ sub: 'user-42' });
});
afterAll(() => app.close());

function callWith(context: unknown, data: unknown = {}): Promise<boolean> {
  const host = new ExecutionContextHost([data, context], Handlers, Handlers.handle);
  host.setType('rpc');
  return guard.canActivate(host);
}

const refusedWith = async (context: unknown, data?: unknown) => {
  const error: unknown = await callWith(context, data).catch((refusal: unknown) => refusal);
  expect(error).toBeInstanceOf(RpcException);
  return (error as RpcException).getError();
};

describe.each<[string, (value: string) => object, (...values: string[]) => object, () => object]>([
  [
    'NATS',
    (value) => natsWith(['Authorization', [value]]),
    (...values) => natsWith(['authorization', values]),
    () => new NatsContext(['orders', undefined]),
  ],
  [
    'RabbitMQ',
    (value) => rmqWith({ authorization: value }),
    (...values) => rmqWith({ authorization: values }),
    () => rmqWith(),
  ],
  [
    'Kafka',
    (value) => kafkaWith({ authorization: Buffer.from(value) }),
    (...values) => kafkaWith({ authorization: values.map((value) => Buffer.from(value)) }),
    () => kafkaWith(),
  ],
  [
    'MQTT 5',
    (value) => mqttWith({ userProperties: { authorization: value } }),
    (...values) => mqttWith({ userProperties: { authorization: values } }),
    () => mqttWith(),
  ],
  ['gRPC', (value) => metadataOf(value), (...values) => metadataOf(...values), () => metadataOf()],
])('a message over %s', (transport, withOne, withAll, without) => {
  const missing = { message: 'The request carries no bearer token' };
  const ambiguous = { message: 'The request carries more than one bearer token' };

  test('may carry the token in its authorization header, and has the claims', async () => {
    const context = withOne(`Bearer ${token}`);
    expect(await callWith(context)).toBe(true);
    expect((context as { user?: JwtClaims }).user).toMatchObject({ sub: 'user-42' });
  });

  test('may carry the token in its data', async () => {
    expect(await callWith(without(), { access_token: token })).toBe(true);
  });

  test('is refused without a token, and with two', async () => {
    expect(await refusedWith(without())).toMatchObject(missing);
    expect(await refusedWith(withOne('Basic dXNlcjpwYXNz'))).toMatchObject(missing);
    expect(await refusedWith(withAll(`Bearer ${token}`, `Bearer ${token}`))).toMatchObject(ambiguous);
    expect(await refusedWith(withOne(`Bearer ${token}`), { access_token: token })).toMatchObject(ambiguous);
  });

  test('is refused in the error format of its transport', async () => {
    const refusal = await refusedWith(withOne('Bearer nonsense'));
    const message = expect.any(String);
    if (transport !== 'gRPC') {
      const errorCode = 'token_malformed';
      expect(refusal).toEqual({ status: 'error', statusCode: 401, message, errorCode });
      return;
    }
    const { metadata, ...status } = refusal as { metadata: Metadata };
    expect(status).toEqual({ code: 16, message });
    expect(metadata.getMap()).toEqual({ 'error-code': 'token_malformed' });
  });
});

test.each([
  ['over TCP', () => new TcpContext([undefined as never, 'orders', {}])],
  ['over Redis', () => new RedisContext(['orders', {}])],
  ['over a transport without a context', () => undefined],
])('a message %s, which has no headers, may carry the token in its data', async (_, context) => {
  expect(await callWith(context(), { access_token: token })).toBe(true);
  expect(await refusedWith(context())).toMatchObject({ errorCode: 'token_missing' });
  expect(await refusedWith(context(), 'text')).toMatchObject({ errorCode: 'token_missing' });
});

test('two headers whose names differ only in case carry two tokens', async () => {
  const headers = { authorization: `Bearer ${token}`, Authorization: `Bearer ${token}` };
  expect(await refusedWith(rmqWith(headers))).toMatchObject({ errorCode: 'token_ambiguous' });
  const properties = { userProperties: headers };
  expect(await refusedWith(mqttWith(properties))).toMatchObject({ errorCode: 'token_ambiguous' });
});

test.each([
  ['a number', { authorization: 42 }],
  ['an object', { authorization: { toString: () => 'Bearer x' } }],
  ['a string as all headers', 'authorization'],
  ['a header named __proto__', JSON.parse('{"__proto__":{"authorization":"Bearer x"}}')],
])('invalid headers carry no token: %s', async (_, headers) => {
  expect(await refusedWith(rmqWith(headers as object))).toMatchObject({ errorCode: 'token_missing' });
});
