import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { WsException } from '@nestjs/websockets';
import { KmsJwtGuard, KmsJwtModule } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll, expect, test } from 'vitest';

@Controller()
class Handlers {
  static handle(this: void): void {}
}

let app: Awaited<ReturnType<typeof NestFactory.createApplicationContext>>;

beforeAll(async () => {
  const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client();
  const module = {
    module: Handlers,
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client })],
    providers: [KmsJwtGuard],
  };
  app = await NestFactory.createApplicationContext(module, { logger: false });
});
afterAll(() => app.close());

// What clients send is theirs to choose, and a guard that throws anything else would end the connection or the process.
test.each([
  undefined,
  null,
  {},
  'token',
  ['token'],
  { token: null },
  { token: 42 },
  { token: { toString: 'Bearer x' } },
  { authorization: {} },
  JSON.parse('{"__proto__":{"token":"x"}}'),
])('a handshake of socket.io with the auth %j carries no token', async (auth: unknown) => {
  const guard = app.get(KmsJwtGuard);
  const told: unknown[] = [];
  const client = {
    handshake: { headers: {}, query: {}, auth },
    data: {},
    emit: (...message: unknown[]) => told.push(message),
    disconnect: () => told.push('disconnected'),
  };
  const host = new ExecutionContextHost([client, {}], Handlers, Handlers.handle);
  host.setType('ws');
  const refusal: unknown = await guard.canActivate(host).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(WsException);
  expect((refusal as WsException).getError()).toMatchObject({ errorCode: 'token_missing' });

  expect(await guard.acceptConnection(client)).toBeUndefined();
  expect(told).toEqual([
    ['exception', expect.objectContaining({ errorCode: 'token_missing' })],
    'disconnected',
  ]);
});

test('what a client sent in auth is read once, however many messages follow', async () => {
  const guard = app.get(KmsJwtGuard);
  let reads = 0;
  const auth = {
    get authorization() {
      reads += 1;
      return 'Basic dXNlcjpwYXNz';
    },
  };
  const client = { handshake: { headers: {}, query: {}, auth }, data: {}, disconnect: () => {} };
  for (let message = 0; message < 50; message += 1) {
    const host = new ExecutionContextHost([client, {}], Handlers, Handlers.handle);
    host.setType('ws');
    await expect(guard.canActivate(host)).rejects.toBeInstanceOf(WsException);
  }
  expect(reads).toBe(1);
});
