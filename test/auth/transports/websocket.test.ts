import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { WsException } from '@nestjs/websockets';
import { KmsJwtGuard, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

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

// Clients choose what they send, and any other exception of the guard would end the connection or the process.
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
])('a socket.io handshake with the auth %j carries no token', async (auth: unknown) => {
  const guard = app.get(KmsJwtGuard);
  const received: unknown[] = [];
  const client = {
    handshake: { headers: {}, query: {}, auth },
    data: {},
    emit: (...message: unknown[]) => received.push(message),
    disconnect: () => received.push('disconnected'),
  };
  const host = new ExecutionContextHost([client, {}], Handlers, Handlers.handle);
  host.setType('ws');
  const refusal: unknown = await guard.canActivate(host).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(WsException);
  expect((refusal as WsException).getError()).toMatchObject({ errorCode: 'token_missing' });

  expect(await guard.acceptConnection(client)).toBeUndefined();
  expect(received).toEqual([
    ['exception', expect.objectContaining({ errorCode: 'token_missing' })],
    'disconnected',
  ]);
});

/** Returns a function that passes a message of the client to the guard, and gives true or the error code. */
function messagesOf(client: object) {
  const guard = app.get(KmsJwtGuard);
  return async () => {
    const host = new ExecutionContextHost([client, {}], Handlers, Handlers.handle);
    host.setType('ws');
    try {
      return await guard.canActivate(host);
    } catch (error) {
      return ((error as WsException).getError() as { errorCode: string }).errorCode;
    }
  };
}

const clientWith = (auth: unknown, headers = {}) => ({
  handshake: { headers, query: {}, auth },
  data: {},
  disconnect: () => {},
});

/** Counts how often the names of `auth` are enumerated, and its values read. */
function counting(auth: object) {
  const counted = { names: 0, values: 0 };
  const proxy = new Proxy(auth, {
    ownKeys: (target) => {
      counted.names += 1;
      return Reflect.ownKeys(target);
    },
    get: (target, name) => {
      counted.values += 1;
      return Reflect.get(target, name) as unknown;
    },
  });
  return { proxy, counted };
}

test('the many names of a large auth object are enumerated once for all messages', async () => {
  const names = Array.from({ length: 5000 }, (_, index) => [`x-${index}`, ''] as const);
  const { proxy, counted } = counting(Object.fromEntries(names));
  const send = messagesOf(clientWith(proxy));
  await send();
  const first = { ...counted };
  for (let message = 0; message < 50; message += 1) expect(await send()).toBe('token_missing');
  expect(counted.names).toBe(first.names);
  // auth.token is read for each message.
  expect(counted.values - first.values).toBeLessThanOrEqual(50);
});

test('only the first of many values of one name in auth are read', async () => {
  let reads = 0;
  const values = new Proxy(
    Array.from({ length: 5000 }, () => ''),
    { get: (target, name) => ((reads += 1), Reflect.get(target, name) as unknown) },
  );
  const send = messagesOf(clientWith({ authorization: values }));
  for (let message = 0; message < 50; message += 1) expect(await send()).toBe('token_ambiguous');
  expect(reads / 50).toBeLessThan(150);
});

const tokenOf = (sub: string) => app.get(KmsJwtService, { strict: false }).sign({ sub });

describe('messages after the app changed the handshake of their client', () => {
  type Auth = Record<string, unknown>;
  test.each<[string, (token: string) => Auth, (client: { handshake: { auth: Auth } }) => void]>([
    ['delete auth.token', (token) => ({ token }), ({ handshake }) => delete handshake.auth['token']],
    [
      'delete auth.authorization',
      (token) => ({ authorization: `Bearer ${token}` }),
      ({ handshake }) => delete handshake.auth['authorization'],
    ],
    [
      'delete one of several names',
      (token) => ({ authorization: `Bearer ${token}`, tenant: 'a' }),
      ({ handshake }) => delete handshake.auth['authorization'],
    ],
    [
      'set auth.token to undefined',
      (token) => ({ token }),
      ({ handshake }) => (handshake.auth['token'] = undefined),
    ],
    [
      'rename auth.authorization',
      (token) => ({ authorization: `Bearer ${token}` }),
      ({ handshake }) => {
        handshake.auth['former'] = handshake.auth['authorization'];
        delete handshake.auth['authorization'];
      },
    ],
    [
      'empty a list',
      (token) => ({ authorization: [`Bearer ${token}`] }),
      ({ handshake }) => (handshake.auth['authorization'] as string[]).pop(),
    ],
    ['replace auth', (token) => ({ token }), ({ handshake }) => (handshake.auth = {})],
    [
      'replace the handshake',
      (token) => ({ token }),
      (client) => (client.handshake = { ...client.handshake, auth: {} }),
    ],
  ])('are refused: %s', async (_, authWith, change) => {
    const client = clientWith(authWith(await tokenOf('user-42'))) as { handshake: { auth: Auth } };
    const send = messagesOf(client);
    expect(await send()).toBe(true);
    change(client);
    expect(await send()).toBe('token_missing');
  });

  test('are refused after a header was deleted', async () => {
    const headers: Record<string, string> = { authorization: `Bearer ${await tokenOf('user-42')}` };
    const client = clientWith({}, headers);
    const send = messagesOf(client);
    expect(await send()).toBe(true);
    client.handshake.headers = {};
    expect(await send()).toBe('token_missing');
  });

  test('are verified with the token that the app set, and refused if it added a second one', async () => {
    const auth: Auth = { token: await tokenOf('user-42') };
    const send = messagesOf(clientWith(auth));
    expect(await send()).toBe(true);
    auth['token'] = 'nonsense';
    expect(await send()).toBe('token_malformed');
    auth['token'] = await tokenOf('user-42');
    auth['authorization'] = `Bearer ${await tokenOf('administrator')}`;
    expect(await send()).toBe('token_ambiguous');
  });
});
