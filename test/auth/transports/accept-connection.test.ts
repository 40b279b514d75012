import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type KmsJwtError, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { io } from 'socket.io-client';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../support.js';

@WebSocketGateway()
@Scopes('orders:read')
class Gateway {
  constructor(@Inject(KmsJwtGuard) protected readonly guard: KmsJwtGuard) {}

  async handleConnection(client: object) {
    await this.guard.acceptConnection(client, { gateway: Gateway });
  }
  @SubscribeMessage('order') order() {}
}

/** A second gateway on the same server. */
@WebSocketGateway()
class SecondGateway extends Gateway {
  @SubscribeMessage('other') other() {}
}
Reflect.defineMetadata('self:paramtypes', Reflect.getMetadata('self:paramtypes', Gateway), SecondGateway);

/** The events `exception` of a connection until it is closed. */
async function refusalsOf(providers: object[]) {
  const { url, jwt } = await startApp({
    providers: providers as never,
    prepare: (app) => app.useWebSocketAdapter(new IoAdapter(app)),
  });
  const auth = { token: await jwt.sign({ sub: 'user-42' }) };
  const socket = io(url, { auth, transports: ['websocket'], reconnection: false, forceNew: true });
  onTestFinished(() => void socket.close());
  const codes: unknown[] = [];
  socket.on('exception', ({ errorCode }: { errorCode: string }) => codes.push(errorCode));
  await new Promise((resolve) => socket.on('disconnect', resolve));
  return codes;
}

test('the decorators of a gateway that is given as its class apply', async () => {
  expect(await refusalsOf([KmsJwtGuard, Gateway])).toEqual(['insufficient_scope']);
});

test('a client is disconnected, even if an overridden handleError never settles', async () => {
  @Injectable()
  class SilentGuard extends KmsJwtGuard {
    protected override handleError() {
      return new Promise<Error>(() => {});
    }
  }
  const guard = { provide: KmsJwtGuard, useClass: SilentGuard };
  expect(await refusalsOf([guard, Gateway])).toEqual(['insufficient_scope']);
});

test('a client that two gateways refuse receives one exception, and is counted once', async () => {
  const counted: string[] = [];
  @Injectable()
  class CountingGuard extends KmsJwtGuard {
    protected override handleError(error: KmsJwtError, context: ExecutionContext) {
      counted.push(error.code);
      return super.handleError(error, context);
    }
  }
  const guard = { provide: KmsJwtGuard, useClass: CountingGuard };
  expect(await refusalsOf([guard, Gateway, SecondGateway])).toEqual(['insufficient_scope']);
  expect(counted).toEqual(['insufficient_scope']);
});
