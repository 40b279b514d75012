import { Controller } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Query, Resolver } from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, KmsJwtGuard } from 'nestjs-kms-jwt';
import { lastValueFrom } from 'rxjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-port.js';
import { socketIoClient } from './websocket.js';
import { ask, graphqlModule, NEST, start } from './support.js';

describe('APP_GUARD', () => {
  const appGuard = { provide: APP_GUARD, useClass: KmsJwtGuard };

  @Resolver()
  class PlainResolver {
    @Query(() => String) hello(@Claims('sub') sub: string) {
      return sub;
    }
  }

  test('guards resolvers', async () => {
    const { url, jwt } = await start({ providers: [PlainResolver, appGuard], imports: [graphqlModule()] });
    const refused = await ask(url, '{ hello }');
    expect(refused).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await ask(url, '{ hello }', token)).toEqual({ data: { hello: 'user-42' } });
  });

  @WebSocketGateway()
  class PlainGateway {
    @SubscribeMessage('orders') read() {
      return { event: 'answer', data: 'orders' };
    }
  }

  test(NEST < 12 ? 'does not guard gateways before Nest 12' : 'guards gateways', async () => {
    const { url, jwt } = await start({
      providers: [PlainGateway, appGuard],
      newAdapter: (app) => new IoAdapter(app),
    });
    const visit = async (auth: object) => {
      const client = socketIoClient(url, { auth });
      onTestFinished(() => client.leave());
      client.send('orders');
      return client.next();
    };
    const answer = { event: 'answer', data: 'orders' };
    const refusal = { event: 'exception', data: expect.objectContaining({ errorCode: 'token_missing' }) };
    expect(await visit({ token: await jwt.sign({}) })).toEqual(answer);
    expect(await visit({})).toEqual(NEST < 12 ? answer : refusal);
  });

  @Controller()
  class PlainController {
    @MessagePattern('orders') read() {
      return 'orders';
    }
  }

  test.each([
    [true, { errorCode: 'token_missing' }],
    [false, 'orders'],
  ])(
    'guards a microservice of a hybrid app only with inheritAppConfig: %s',
    async (inheritAppConfig, expected) => {
      const options = { host: '127.0.0.1', port: await freePort() };
      await start({
        providers: [appGuard],
        controllers: [PlainController],
        prepare: async (app) => {
          app.connectMicroservice({ transport: Transport.TCP, options }, { inheritAppConfig });
          await app.startAllMicroservices();
        },
      });
      const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
      onTestFinished(() => client.close());
      const received = lastValueFrom(client.send<unknown>('orders', {})).catch((error: unknown) => error);
      const matching = typeof expected === 'string' ? expected : expect.objectContaining(expected);
      expect(await received).toEqual(matching);
    },
  );
});
