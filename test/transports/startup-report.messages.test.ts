import { Controller, type Type, UseGuards } from '@nestjs/common';
import { EventPattern, GrpcMethod, MessagePattern } from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type KmsJwtGuard, Public } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { appGuard, startAndRead, uncovered } from './startup-report.support.js';
import { NEST } from './support.js';

const onlyAppGuard = (guard: Type<KmsJwtGuard>) => [appGuard(guard)];

const gatewaysOf = (guard: Type<KmsJwtGuard>) => {
  @WebSocketGateway({ namespace: 'orders' })
  class OrdersGateway {
    handleConnection() {
      return undefined;
    }
    @UseGuards(guard) @SubscribeMessage('guarded') guarded() {
      return {};
    }
    @SubscribeMessage('orders') read() {
      return {};
    }
    @Public() @SubscribeMessage('open') open() {
      return {};
    }
  }
  @WebSocketGateway({ namespace: 'accepting' })
  @UseGuards(guard)
  class AcceptingGateway {
    guard?: KmsJwtGuard;
    async handleConnection(client: object) {
      await this.guard?.acceptConnection(client);
    }
    @SubscribeMessage('orders') read() {
      return {};
    }
  }
  return [OrdersGateway, AcceptingGateway];
};
const gatewaysAndAppGuard = (guard: Type<KmsJwtGuard>) => [...gatewaysOf(guard), appGuard(guard)];

const CONNECTION = [
  'log',
  expect.stringMatching(/^Nest runs no guard for OrdersGateway.handleConnection:.*acceptConnection/),
];
const MESSAGE = uncovered('the WebSocket message OrdersGateway.read');

test('startup logs the messages and connections of gateways that no KmsJwtGuard covers', async () => {
  expect(await startAndRead({ providers: gatewaysOf })).toEqual([CONNECTION, MESSAGE]);
});

test(`startup logs ${NEST < 12 ? 'messages and connections' : 'only connections'} of gateways if there is an APP_GUARD`, async () => {
  expect(await startAndRead({ providers: gatewaysAndAppGuard })).toEqual([
    CONNECTION,
    ...(NEST < 12 ? [MESSAGE] : []),
  ]);
});

const microservicesOf = (guard: Type<KmsJwtGuard>) => {
  @Controller()
  class OrdersService {
    @UseGuards(guard) @MessagePattern('guarded') guarded() {
      return {};
    }
    @MessagePattern('orders') read() {
      return {};
    }
    @EventPattern('placed') placed(data: object) {
      return data;
    }
    @GrpcMethod('Orders', 'Read') grpc(data: object) {
      return data;
    }
  }
  return [OrdersService];
};

test('startup logs the microservice handlers that no KmsJwtGuard covers', async () => {
  expect(await startAndRead({ controllers: microservicesOf })).toEqual([
    uncovered('the microservice handler OrdersService.read'),
    uncovered('the microservice handler OrdersService.placed'),
    uncovered('the microservice handler OrdersService.grpc'),
  ]);
});

// A hybrid app does not reveal whether connectMicroservice() was called with inheritAppConfig.
test.each(['http', 'context'] as const)(
  'startup logs no microservice handler if there is an APP_GUARD: %s',
  async (kind) => {
    expect(await startAndRead({ controllers: microservicesOf, providers: onlyAppGuard, kind })).toEqual([]);
  },
);
