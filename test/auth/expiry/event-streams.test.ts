import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { Readable } from 'node:stream';
import { Controller, Get, Sse, StreamableFile, UseGuards } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  fromHeader,
  getKmsJwtServiceToken,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtService,
  OptionalAuth,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bearer, startApp } from '../support.js';
import { countProducers, expectEndWithinASecondOf, nap, secondsSince, soon } from './support.js';

const { produce, count, running } = countProducers();

const internalModule = () =>
  KmsJwtModule.forRoot({
    name: 'internal',
    isGlobal: true,
    keyId: 'alias/internal',
    client: new LocalKms({ keys: [{ alias: 'internal' }] }).client(),
    guard: { tokenFrom: fromHeader('x-internal') },
  });

async function* chunks() {
  for (let index = 0; index < 25; index += 1) {
    await nap(100);
    yield 'x';
  }
}

const Internal = KmsJwtGuard.named('internal');

@Controller()
@UseGuards(KmsJwtGuard)
class HttpController {
  @Sse('events') events() {
    return produce();
  }
  @OptionalAuth() @Get('slow') async slow() {
    await nap(5000);
  }
  @Get('download') download() {
    return new StreamableFile(Readable.from(chunks()));
  }
}

@Controller()
@UseGuards(KmsJwtGuard, Internal)
class InternalController {
  @Sse('internal') internal() {
    return produce();
  }
}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('over HTTP/1 on %s', (_, newAdapter) => {
  test('events of @Sse() end within a second of exp, and so does their producer', async () => {
    const { get, jwt } = await startApp({ controllers: [HttpController], adapter: newAdapter() });
    const exp = soon();
    const response = await get('/events', bearer(await jwt.sign({ exp })));
    expect(await response.text()).toContain('data: x');
    expectEndWithinASecondOf(exp);
    expect(await running()).toBe(0);
  });

  test('events whose call two instances verified end with the token that expires first', async () => {
    const { app, get, jwt } = await startApp({
      controllers: [InternalController],
      adapter: newAdapter(),
      imports: [internalModule()],
    });
    const internal = app.get<KmsJwtService>(getKmsJwtServiceToken('internal'), { strict: false });
    const exp = soon();
    const headers = {
      ...bearer(await jwt.sign({ exp: exp + 60 })),
      'x-internal': await internal.sign({ exp }),
    };
    const response = await get('/internal', headers);
    expect(await response.text()).toContain('data: x');
    expectEndWithinASecondOf(exp);
    expect(await running()).toBe(0);
  });

  test('the producer of events behind a slow answer of the same connection ends too', async () => {
    const { url, jwt } = await startApp({ controllers: [HttpController], adapter: newAdapter() });
    const exp = soon();
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { authorization } = bearer(await jwt.sign({ exp }));
    socket.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n\r\n`);
    await expect.poll(count).toBe(1);
    await closed;
    expect(secondsSince(exp)).toBeLessThan(2);
    expect(await running()).toBe(0);
  });

  test('a download is not cut off', async () => {
    const { get, jwt } = await startApp({ controllers: [HttpController], adapter: newAdapter() });
    const exp = soon();
    const response = await get('/download', bearer(await jwt.sign({ exp })));
    expect(await response.text()).toHaveLength(25);
    expect(secondsSince(exp)).toBeGreaterThan(0);
  });
});

test('over HTTP/2 events of @Sse() end within a second of exp, and other streams of the session go on', async () => {
  const adapter = new FastifyAdapter({ http2: true } as never);
  const { url, jwt } = await startApp({ controllers: [HttpController], adapter });
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  const exp = soon();
  const open = async (seconds: number) => {
    const stream = session.request({ ':path': '/events', ...bearer(await jwt.sign({ exp: seconds })) });
    stream.resume();
    return { stream, closed: new Promise((resolve) => stream.once('close', resolve)) };
  };
  const [short, long] = [await open(exp), await open(exp + 60)];
  await short.closed;
  expectEndWithinASecondOf(exp);
  expect(long.stream.closed).toBe(false);
});
