import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import * as fc from 'fast-check';
import {
  fromAuthHeader,
  fromCookie,
  fromQuery,
  KmsJwtGuard,
  KmsJwtModule,
  KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { must, type Target } from '../target.js';

@Controller()
@UseGuards(KmsJwtGuard)
class GuardedController {
  @Get()
  guarded(): string {
    return 'guarded';
  }
}

interface Input {
  framework: 'express' | 'fastify';
  /** Header names and values, alternating, as they are sent. */
  headers: string[];
  query: string;
  /** The number of tokens in valid places. */
  tokens: number;
}

const ANSWERS: Record<number, string> = { 200: 'accepted', 400: '400', 401: '401', 431: '431' };

/** A guarded route accepts one valid token in a valid place; anything else gets a 400 or a 401, never a 500. */
export async function requests(): Promise<Target<Input>> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client();

  @Module({
    imports: [
      KmsJwtModule.forRoot({
        keyId: 'alias/auth',
        client,
        guard: { tokenFrom: [fromAuthHeader(), fromCookie('token'), fromQuery('token')] },
      }),
    ],
    controllers: [GuardedController],
  })
  class AppModule {}

  const apps = {
    express: await NestFactory.create(AppModule, new ExpressAdapter(), { logger: false }),
    fastify: await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false }),
  };
  for (const app of Object.values(apps)) await app.listen(0, '127.0.0.1');
  const portOf = ({ framework }: Input) =>
    (apps[framework].getHttpServer() as { address: () => AddressInfo }).address().port;
  const token = await apps.express
    .get(KmsJwtService, { strict: false })
    .sign({ sub: 'user-42' }, { expiresIn: '30d' });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });

  return {
    inputs: inputsWith(token),
    async judge(input) {
      const status = await statusOf(portOf(input), agent, input);
      const answer = ANSWERS[status];
      must(answer !== undefined, `It answered ${status}`);
      const isThere = decoded(input).includes(token);
      must(status !== 200 || isThere, 'It let a request pass that has no token');
      if (input.tokens >= 0)
        must(
          status === STATUS_FOR[Math.min(input.tokens, 2)],
          `It answered ${status} to ${input.tokens} tokens`,
        );
      return answer ?? '';
    },
    async close() {
      agent.destroy();
      await Promise.all(Object.values(apps).map((app) => app.close()));
      client.destroy();
    },
  };
}

const STATUS_FOR = [401, 200, 400];

async function statusOf(port: number, agent: Agent, { headers, query }: Input): Promise<number> {
  const sent = request({
    host: '127.0.0.1',
    port,
    agent,
    path: `/${query}`,
    headers: ['host', 'localhost', ...headers] as never,
  });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode ?? 0;
}

function decoded({ headers, query }: Input): string {
  return [...headers, query].flatMap((one) => [one, percentDecoded(one)]).join('\n');
}

function percentDecoded(encoded: string): string {
  return encoded.replace(/%[0-9a-f]{2}/gi, (octet) =>
    String.fromCharCode(Number.parseInt(octet.slice(1), 16)),
  );
}

function inputsWith(token: string): fc.Arbitrary<Input> {
  const framework = fc.constantFrom('express' as const, 'fastify' as const);
  const isIn = fc.boolean();
  const clean = fc
    .record({ framework, header: isIn, cookie: isIn, query: isIn, repeated: isIn })
    .map(({ framework: by, header, cookie, query, repeated }): Input => ({
      framework: by,
      headers: [
        ...(header ? ['Authorization', `Bearer ${token}`] : []),
        ...(cookie ? ['Cookie', `a=b; token=${token}`] : []),
        ...(cookie && repeated ? ['Cookie', `token=${token}`] : []),
      ],
      query: query ? `?token=${token}` : '?a=b',
      tokens: Number(header) + Number(cookie) * (1 + Number(repeated)) + Number(query),
    }));
  return fc.oneof(
    { weight: 1, arbitrary: clean },
    {
      weight: 6,
      arbitrary: fc.record({
        framework,
        headers: noisyHeaders(token),
        query: noisyQuery(token),
        tokens: fc.constant(-1),
      }),
    },
  );
}

/** The characters that Node.js sends in a header (RFC 9110, section 5.5). */
const headerText = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
});
/** The characters that Node.js sends in a request line. */
const queryText = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
});

const noiseAround = (token: string, noise: fc.Arbitrary<string>) =>
  fc
    .array(
      fc.oneof(
        noise,
        fc.constantFrom(token, token, 'token=', 'Bearer ', ';', ',', '&', '"', '%', '%2E', '[]', '=', ' '),
      ),
      { maxLength: 5 },
    )
    .map((parts) => parts.join(''));

function noisyHeaders(token: string): fc.Arbitrary<string[]> {
  const value = noiseAround(token, headerText);
  const line = fc.oneof(
    fc.tuple(
      fc.constantFrom('Authorization', 'authorization', 'AUTHORIZATION'),
      value.map((one) => `Bearer ${one}`),
    ),
    fc.tuple(fc.constantFrom('Authorization', 'Cookie', 'Proxy-Authorization', 'X-Token'), value),
    fc.tuple(
      fc.constant('Cookie'),
      value.map((one) => `token=${one}`),
    ),
  );
  return fc.array(line, { maxLength: 3 }).map((lines) => lines.flat());
}

function noisyQuery(token: string): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constant(''),
    noiseAround(token, queryText).map((value) => `?token=${value.replaceAll(' ', '+')}`),
    noiseAround(token, queryText).map((value) => `?${value.replaceAll(' ', '+')}`),
  );
}
