import { Controller, type DynamicModule, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { Claims, fromBody, type JwtClaims, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { lastValueFrom } from 'rxjs';
import { answerTo, type Endpoint, type EndpointFamily, SCOPE } from './app-under-test.js';
import { freePort } from '../support/free-port.js';

@Controller()
@UseGuards(KmsJwtGuard)
@Scopes(SCOPE)
class OrdersController {
  @MessagePattern('orders') read(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
    return answerTo(claims, sub);
  }
}

const endpoint: Endpoint = {
  name: 'token in the data',
  async start(kmsJwt: DynamicModule) {
    @Module({ imports: [kmsJwt], controllers: [OrdersController] })
    class AppModule {}
    const options = { host: '127.0.0.1', port: await freePort() };
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
      transport: Transport.TCP,
      options,
      logger: false,
    });
    await app.listen();
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
    return {
      call: (token) =>
        lastValueFrom(client.send('orders', { access_token: token })).then(
          (answer: unknown) => ({ answer }),
          (error: unknown) => ({ error }),
        ),
      async close() {
        await client.close();
        await app.close();
      },
    };
  },
};

export const tcp: EndpointFamily = {
  name: 'TCP',
  endpoints: [endpoint],
  options: { guard: { tokenFrom: fromBody('access_token') } },
  admitted: (answer) => ({ answer }),
  refused: ({ statusCode, message, errorCode }) => ({
    error: { status: 'error', statusCode, message, errorCode },
  }),
};
