import { connect } from 'node:http2';
import type { ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import {
  type CanActivate,
  ConsoleLogger,
  Controller,
  Get,
  Inject,
  Logger,
  Query,
  Res,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { KmsJwtExceptionFilter, KmsJwtGuard, KmsJwtService } from 'nestjs-kms-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { watchRejections } from '../transports/rejections.js';
import { startApp } from './support.js';

type AnyResponse = ServerResponse & { raw?: ServerResponse };

/** Responds before the guard runs, as a middleware with a timeout may do. */
class EagerGuard implements CanActivate {
  canActivate(context: { switchToHttp(): { getResponse(): AnyResponse } }) {
    const response = context.switchToHttp().getResponse();
    (response.raw ?? response).end('from elsewhere');
    return true;
  }
}

@Controller()
@UseFilters(KmsJwtExceptionFilter)
class ReportController {
  constructor(@Inject(KmsJwtService) private readonly jwt: KmsJwtService) {}

  @Get('half') async half(@Res() response: AnyResponse) {
    await begin(response);
    await this.jwt.sign({});
  }
  @Get('half-verified') async halfVerified(@Res() response: AnyResponse, @Query('token') token: string) {
    await begin(response);
    await this.jwt.verify(token);
  }
  @Get('next') next() {
    return 'next';
  }
  @Get('whole') async whole(@Res() response: AnyResponse) {
    (response.raw ?? response).end('whole');
    await this.jwt.sign({});
  }
  @UseGuards(EagerGuard, KmsJwtGuard) @Get('guarded') guarded() {
    return 'never';
  }
}

/** Sends the headers and a part of the body. */
function begin(response: AnyResponse): Promise<void> {
  const raw = response.raw ?? response;
  return new Promise((resolve) => raw.write('half', () => resolve()));
}

async function start(adapter: AbstractHttpAdapter) {
  const lines: string[] = [];
  class Lines extends ConsoleLogger {
    override error(line: unknown) {
      lines.push(String(line));
    }
  }
  const rejections = watchRejections();
  const { url, localKms } = await startApp({
    controllers: [ReportController],
    providers: [KmsJwtGuard],
    adapter,
  });
  Logger.overrideLogger(new Lines());
  onTestFinished(() => Logger.overrideLogger(false));
  localKms.inject({ kind: 'throttle', operation: 'Sign' });
  return { url, lines, rejections };
}

describe.each([
  ['Express', () => new ExpressAdapter(), 'nonsense'],
  ['Fastify', () => new FastifyAdapter() as AbstractHttpAdapter, 'a.b.c'],
])('a response of %s that has begun', (_, newAdapter, invalidToken) => {
  test('is cut off when sign fails, and the error is logged once', async () => {
    const { url, lines, rejections } = await start(newAdapter());
    const response = await fetch(`${url}/half`);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    expect(lines).toEqual([
      expect.stringMatching(/^KmsUnavailableError: .* \(not sent: the response had begun\)$/),
    ]);
    expect(rejections).toEqual([]);
    expect(await (await fetch(`${url}/next`)).text()).toBe('next');
  });

  test('is cut off when verify fails, and the error is logged, because the client does not receive it', async () => {
    const { url, lines, rejections } = await start(newAdapter());
    const response = await fetch(`${url}/half-verified?token=${invalidToken}`);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    expect(lines).toEqual([
      expect.stringMatching(/^TokenMalformedError: .* \(not sent: the response had begun\)$/),
    ]);
    expect(rejections).toEqual([]);
  });

  test('is left alone if it is complete', async () => {
    const { url, lines, rejections } = await start(newAdapter());
    const response = await fetch(`${url}/whole`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('whole');
    await expect.poll(() => lines).toEqual([expect.stringContaining('KmsUnavailableError')]);
    expect(rejections).toEqual([]);
  });

  test('is left alone by a guard that refuses the request', async () => {
    const { url, lines, rejections } = await start(newAdapter());
    const response = await fetch(`${url}/guarded`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('from elsewhere');
    expect(await (await fetch(`${url}/next`)).text()).toBe('next');
    expect(lines).toEqual([]);
    expect(rejections).toEqual([]);
  });
});

test('an HTTP/2 response that has begun is cut off with a stream error', async () => {
  const { url, lines, rejections } = await start(new FastifyAdapter({ http2: true }) as AbstractHttpAdapter);
  const session = connect(url);
  onTestFinished(() => session.close());
  const stream = session.request({ ':path': '/half' });
  await expect(text(stream)).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
  expect(lines).toEqual([expect.stringContaining('(not sent: the response had begun)')]);
  expect(rejections).toEqual([]);
});
