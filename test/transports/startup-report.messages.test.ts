import { Controller, type Type, UseGuards } from '@nestjs/common';
import { EventPattern, GrpcMethod, MessagePattern } from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type KmsJwtGuard, Public } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { appGuard, startAndRead, uncovered } from './startup-report.support.js';
import { NEST } from './support.js';

const appGuardAlone = (guard: Type<KmsJwtGuard>) => [appGuard(guard)];

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

test('start logs the messages and connections of gateways that no KmsJwtGuard covers', async () => {
  expect(await startAndRead({ providers: gatewaysOf })).toEqual([CONNECTION, MESSAGE]);
});

test(`start logs ${NEST < 12 ? 'messages and ' : ''}connections of gateways where there is an APP_GUARD`, async () => {
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

test('start logs the handlers of microservices that no KmsJwtGuard covers', async () => {
  expect(await startAndRead({ controllers: microservicesOf })).toEqual([
    uncovered('the microservice handler OrdersService.read'),
    uncovered('the microservice handler OrdersService.placed'),
    uncovered('the microservice handler OrdersService.grpc'),
  ]);
});

// In a hybrid app nothing says whether connectMicroservice() was called with inheritAppConfig.
test.each(['http', 'context'] as const)(
  'start logs no handler of a microservice where there is an APP_GUARD: %s',
  async (kind) => {
    expect(await startAndRead({ controllers: microservicesOf, providers: appGuardAlone, kind })).toEqual([]);
  },
);
