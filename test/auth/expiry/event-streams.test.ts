import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { Readable } from 'node:stream';
import { Controller, Get, Sse, StreamableFile, UseGuards } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { getKmsJwtServiceToken, KmsJwtGuard, type KmsJwtService, OptionalAuth } from 'nestjs-kms-jwt';
import { describe, test, type TestContext } from 'vitest';
import { watchRejections } from '../../transports/rejections.js';
import { bearer, internalModule, startApp } from '../support.js';
import {
  expectEndWithinASecondOf,
  nap,
  newProducers,
  type Producers,
  secondsSince,
  soon,
} from './support.js';

async function* chunks() {
  for (let index = 0; index < 35; index += 1) {
    await nap(100);
    yield 'x';
  }
}

const Internal = KmsJwtGuard.named('internal');

function httpController(producers: Producers) {
  @Controller()
  @UseGuards(KmsJwtGuard)
  class HttpController {
    @Sse('events') events() {
      return producers.produce();
    }
    @OptionalAuth() @Get('slow') async slow() {
      await nap(5000);
    }
    @Get('download') download() {
      return new StreamableFile(Readable.from(chunks()));
    }
  }
  return HttpController;
}

function internalController(producers: Producers) {
  @Controller()
  @UseGuards(KmsJwtGuard, Internal)
  class InternalController {
    @Sse('internal') internal() {
      return producers.produce();
    }
  }
  return InternalController;
}

/** Each test has its own app, because they run concurrently: they wait for real time to pass. */
async function start(onTestFinished: TestContext['onTestFinished'], adapter: AbstractHttpAdapter) {
  const producers = newProducers();
  const rejections = watchRejections(onTestFinished);
  const controllers = [httpController(producers), internalController(producers)];
  const imports = [internalModule()];
  const started = await startApp({ controllers, imports, adapter, onTestFinished });
  const internal = started.app.get<KmsJwtService>(getKmsJwtServiceToken('internal'), { strict: false });
  return { ...started, internal, producers, rejections };
}

describe.concurrent.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('over HTTP/1 on %s', (_, newAdapter) => {
  test('events of @Sse() end within a second of exp, and so does their producer', async ({
    expect,
    onTestFinished,
  }) => {
    const { get, jwt, producers, rejections } = await start(onTestFinished, newAdapter());
    const exp = soon(2);
    const response = await get('/events', bearer(await jwt.sign({ exp })));
    expect(await response.text()).toContain('data: x');
    expectEndWithinASecondOf(exp);
    expect(await producers.running()).toBe(0);
    expect(rejections).toEqual([]);
  });

  test('events whose call two registrations verified end with the token that expires first', async ({
    expect,
    onTestFinished,
  }) => {
    const { get, jwt, internal, producers, rejections } = await start(onTestFinished, newAdapter());
    const exp = soon(2);
    const headers = {
      ...bearer(await jwt.sign({ exp: exp + 60 })),
      'x-internal': await internal.sign({ exp }),
    };
    const response = await get('/internal', headers);
    expect(await response.text()).toContain('data: x');
    expectEndWithinASecondOf(exp);
    expect(await producers.running()).toBe(0);
    expect(rejections).toEqual([]);
  });

  test('the producer of events queued behind a slow response on the same connection ends too', async ({
    expect,
    onTestFinished,
  }) => {
    const { url, jwt, producers, rejections } = await start(onTestFinished, newAdapter());
    const exp = soon(2);
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { authorization } = bearer(await jwt.sign({ exp }));
    socket.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n\r\n`);
    await expect.poll(() => producers.count).toBe(1);
    await closed;
    expect(secondsSince(exp)).toBeLessThan(2);
    expect(await producers.running()).toBe(0);
    expect(rejections).toEqual([]);
  });

  test('a download is not cut off', async ({ expect, onTestFinished }) => {
    const { get, jwt, producers, rejections } = await start(onTestFinished, newAdapter());
    const exp = soon(2);
    const response = await get('/download', bearer(await jwt.sign({ exp })));
    expect(await response.text()).toHaveLength(35);
    expect(secondsSince(exp)).toBeGreaterThan(0);
    expect([producers.count, rejections]).toEqual([0, []]);
  });
});

test.concurrent(
  'over HTTP/2 events of @Sse() end within a second of exp, and other streams of the session stay open',
  async ({ expect, onTestFinished }) => {
    const adapter = new FastifyAdapter({ http2: true } as never);
    const { url, jwt, rejections } = await start(onTestFinished, adapter);
    const session = connectHttp2(url);
    onTestFinished(() => session.destroy());
    const exp = soon(2);
    const open = async (seconds: number) => {
      const stream = session.request({ ':path': '/events', ...bearer(await jwt.sign({ exp: seconds })) });
      stream.resume();
      return { stream, closed: new Promise((resolve) => stream.once('close', resolve)) };
    };
    const [short, long] = [await open(exp), await open(exp + 60)];
    await short.closed;
    expectEndWithinASecondOf(exp);
    expect(long.stream.closed).toBe(false);
    expect(rejections).toEqual([]);
  },
);
