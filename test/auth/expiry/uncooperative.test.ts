import { Controller, Inject, Sse, UseGuards } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { KmsJwtGuard } from 'nestjs-kms-jwt';
import { interval, map } from 'rxjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, frameOf } from '../../support/raw-websocket.js';
import { watchRejections } from '../../transports/rejections.js';
import { bearer, startApp } from '../support.js';
import { soon } from './support.js';

const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

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

test('a ws client that does not answer the close frame is not served after exp, and is disconnected', async () => {
  const served: unknown[] = [];
  @WebSocketGateway()
  class Gateway {
    constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}
    async handleConnection(client: object, request: never) {
      await this.guard.acceptConnection(client, { request });
    }
    @SubscribeMessage('order') order(_client: object, data: unknown) {
      served.push(data);
    }
  }
  const { url, jwt } = await startApp({
    providers: [KmsJwtGuard, Gateway],
    prepare: (app) => app.useWebSocketAdapter(new WsAdapter(app)),
  });
  const exp = soon();
  const socket = await connectRaw(url, bearer(await jwt.sign({ exp })));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.resume();
  const send = (data: string) => socket.write(frameOf(JSON.stringify({ event: 'order', data })));
  send('before');
  await expect.poll(() => served).toEqual(['before']);
  while (Date.now() / 1000 < exp + 0.7) await nap(50);
  send('after');
  await closed;
  expect(served).toEqual(['before']);
  expect(Date.now() / 1000 - exp).toBeLessThan(3);
});

@Controller()
@UseGuards(KmsJwtGuard)
class EventsController {
  @Sse('events') events() {
    return interval(5).pipe(map(() => ({ data: 'x' })));
  }
}

test('an event stream ends behind middleware whose end() accepts no callback', async () => {
  const { get, jwt } = await startApp({
    controllers: [EventsController],
    prepare: (app) =>
      app.use((_request: unknown, response: { end: (...args: unknown[]) => unknown }, next: () => void) => {
        const end = response.end.bind(response);
        response.end = (chunk, ...rest) => {
          if (typeof chunk === 'function') throw new TypeError('The chunk must be a string or a Buffer');
          return end(chunk, ...rest);
        };
        next();
      }),
  });
  const response = await get('/events', bearer(await jwt.sign({ exp: soon() })));
  expect(await response.text()).toContain('data: x');
});
