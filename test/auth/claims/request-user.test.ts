import { once } from 'node:events';
import { Controller, type ExecutionContext, Get, Injectable, Req, UseGuards } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { getKmsJwtServiceToken, type JwtClaims, KmsJwtGuard, type KmsJwtService } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { watchRejections } from '../../transports/rejections.js';
import { bearer, internalModule, startApp } from '../support.js';

const Internal = KmsJwtGuard.named('internal');

let failures: unknown[];
const note = (error: unknown) => void failures.push(error);

beforeEach(() => {
  failures = watchRejections();
  process.on('uncaughtException', note);
});
afterEach(() => {
  process.off('uncaughtException', note);
  expect(failures).toEqual([]);
});

interface Request {
  user?: JwtClaims;
}

@Controller()
@UseGuards(KmsJwtGuard, Internal)
class BothController {
  @Get('both') both(@Req() request: Request) {
    try {
      return [request.user];
    } catch (error) {
      return [(error as Error).message];
    }
  }
}

test.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])(
  'on %s, reading request.user throws when two registrations verified the request',
  async (_, newAdapter) => {
    const { app, get, jwt } = await startApp({
      controllers: [BothController],
      imports: [internalModule()],
      adapter: newAdapter(),
    });
    const internal = app.get<KmsJwtService>(getKmsJwtServiceToken('internal'), { strict: false });
    const tokens = { ...bearer(await jwt.sign({ sub: 'user-42' })), 'x-internal': await internal.sign({}) };
    expect(await (await get('/both', tokens)).json()).toEqual([expect.stringContaining('is ambiguous')]);
  },
);

/** Reads the token from each message. */
@Injectable()
class MessageGuard extends KmsJwtGuard {
  protected override getToken(context: ExecutionContext) {
    return context.switchToWs().getData<string>();
  }
}

test('reading client.user throws after tokens of two users, even when the socket is closed', async () => {
  const seen: unknown[] = [];
  @WebSocketGateway()
  class Gateway {
    // A handler may still run, and a query for an undefined owner could match the rows of all users.
    handleDisconnect(client: Request) {
      this.greet(client);
    }
    @UseGuards(MessageGuard) @SubscribeMessage('greet') greet(client: Request) {
      try {
        seen.push(client.user?.sub);
      } catch {
        seen.push('ambiguous');
      }
    }
  }
  const { url, jwt } = await startApp({
    providers: [MessageGuard, Gateway],
    prepare: (app) => app.useWebSocketAdapter(new WsAdapter(app)),
  });
  const socket = new WebSocket(url);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const greet = async (sub: string) =>
    socket.send(JSON.stringify({ event: 'greet', data: await jwt.sign({ sub }) }));
  await greet('user-1');
  await expect.poll(() => seen).toEqual(['user-1']);
  await greet('user-2');
  await expect.poll(() => seen).toEqual(['user-1', 'ambiguous']);
  socket.close();
  await expect.poll(() => seen).toEqual(['user-1', 'ambiguous', 'ambiguous']);
});
