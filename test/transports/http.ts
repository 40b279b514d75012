import { STATUS_CODES } from 'node:http';
import { Controller, type DynamicModule, Get, Module, UseGuards } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Claims, type JwtClaims, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { answerTo, type Endpoint, type EndpointFamily, SCOPE } from './app-under-test.js';

@Controller('orders')
@UseGuards(KmsJwtGuard)
class OrdersController {
  @Scopes(SCOPE) @Get() read(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
    return answerTo(claims, sub);
  }
}

export const PLATFORMS: Record<string, () => AbstractHttpAdapter> = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};

/** Headers that do not come from the guard, and that differ between platforms. */
const PLATFORM_HEADERS = /^(date|connection|keep-alive|etag|x-powered-by|content-(type|length))$/;

async function receivedFrom(response: Response) {
  const headers = [...response.headers].filter(([name]) => !PLATFORM_HEADERS.test(name));
  return {
    status: response.status,
    ...Object.fromEntries(headers),
    body: await response.json(),
  };
}

const endpoints = Object.entries(PLATFORMS).map(([name, newAdapter]): Endpoint => ({
  name,
  async start(kmsJwt: DynamicModule) {
    @Module({ imports: [kmsJwt], controllers: [OrdersController] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, newAdapter(), { logger: false });
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/orders`;
    return {
      call: async (token) =>
        receivedFrom(await fetch(url, { headers: token ? { authorization: `Bearer ${token}` } : {} })),
      close: () => app.close(),
    };
  },
}));

export const http: EndpointFamily = {
  name: 'HTTP',
  endpoints,
  admitted: (answer) => ({ status: 200, body: answer }),
  refused: ({ challenge, statusCode, message, errorCode }) => ({
    status: statusCode,
    ...(challenge && { 'www-authenticate': challenge }),
    ...(statusCode === 503 && { 'retry-after': '1' }),
    body: { statusCode, message, error: STATUS_CODES[statusCode], errorCode },
  }),
};
