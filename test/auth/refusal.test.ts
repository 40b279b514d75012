import { Controller, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  KmsJwtExceptionFilter,
  KmsJwtGuard,
  KmsJwtModule,
  KmsUnavailableError,
  TokenExpiredError,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

@Controller()
class Gateway {
  static handle(this: void): void {}
}

class FailingGuard extends KmsJwtGuard {
  failure: Error = new Error();
  protected override authenticate(): Promise<never> {
    return Promise.reject(this.failure);
  }
}

let app: Awaited<ReturnType<typeof NestFactory.createApplicationContext>>;
let lines: string[];

beforeEach(async () => {
  const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client();
  const module = {
    module: Gateway,
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client })],
    providers: [FailingGuard],
  };
  app = await NestFactory.createApplicationContext(module, { logger: false });
  lines = [];
  vi.spyOn(Logger.prototype, 'error').mockImplementation((line: string) => void lines.push(line));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await app.close();
});

function socketOf() {
  const received: unknown[] = [];
  const client = {
    handshake: { headers: { authorization: 'Bearer x' }, query: {} },
    data: {},
    emit: (...message: unknown[]) => received.push(message),
    disconnect: () => received.push('disconnected'),
  };
  return { client, received };
}

describe('a refused connection', () => {
  test('is logged once when the cause is an outage', async () => {
    const guard = app.get(FailingGuard);
    guard.failure = new KmsUnavailableError('timeout', 'no answer, test of one line');
    const { client, received } = socketOf();
    await guard.acceptConnection(client);
    expect(lines).toEqual(['KmsUnavailableError: no answer, test of one line']);
    expect(received).toEqual([
      ['exception', expect.objectContaining({ statusCode: 503, errorCode: 'kms_unavailable' })],
      'disconnected',
    ]);
  });

  test('is not logged when the token is invalid', async () => {
    const guard = app.get(FailingGuard);
    guard.failure = new TokenExpiredError(new Date(0));
    await guard.acceptConnection(socketOf().client);
    expect(lines).toEqual([]);
  });

  test('neither logs nor sends the message of an error of the app', async () => {
    const guard = app.get(FailingGuard);
    guard.failure = new RangeError('secret of the app');
    const { client, received } = socketOf();
    await guard.acceptConnection(client);
    expect(lines).toEqual(['RangeError']);
    expect(received).toEqual([
      ['exception', expect.objectContaining({ statusCode: 500, errorCode: 'internal_error' })],
      'disconnected',
    ]);
  });
});

test('the filter rethrows the error on an unsupported transport', () => {
  const host = new ExecutionContextHost([{}], Gateway, Gateway.handle);
  host.setType('discord');
  const error = new TokenExpiredError(new Date(0));
  expect(() => new KmsJwtExceptionFilter().catch(error, host)).toThrow(error);
});
