import { once } from 'node:events';
import { DisableKeyCommand } from '@aws-sdk/client-kms';
import { Inject, type INestApplication, UseGuards } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, KmsJwtGuard, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { io } from 'socket.io-client';
import { describe, type TestContext, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ENDS } from '../../transports/ends.js';
import { startApp } from '../support.js';
import { soon } from './support.js';

@WebSocketGateway()
class Gateway {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  async handleConnection(
    client: { terminate?: unknown; handshake?: { auth: { unaccepted?: boolean } } },
    request: never,
  ) {
    if (client.handshake?.auth.unaccepted) return;
    await this.guard.acceptConnection(client, client.terminate ? { request } : {});
  }
  @UseGuards(KmsJwtGuard) @SubscribeMessage('me') me(
    @ConnectedSocket() client: { data?: { user?: { jti?: string } }; user?: { jti?: string } },
    @Claims('jti') jti: string,
  ) {
    return { event: 'answer', data: [jti, (client.data ?? client).user?.jti] };
  }
  @SubscribeMessage('renew') async renew(@ConnectedSocket() client: object, @MessageBody() token: string) {
    const answer = await this.guard.renewConnection(client, token).catch((error: Error) => error.message);
    return { event: 'answer', data: typeof answer === 'string' ? answer : 'renewed' };
  }
}

async function nap(milliseconds: number) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return false;
}

interface Client {
  leave(): void;
  send(event: string, data?: unknown): void;
  answer(): Promise<unknown>;
  /** The events `exception`, and how the connection was closed. */
  closed: Promise<{ exceptions: unknown[]; reason: unknown }>;
}

async function connectIo(
  { onTestFinished }: TestContext,
  url: string,
  token: string,
  auth: object = {},
): Promise<Client> {
  const socket = io(url, {
    auth: { token, ...auth },
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  onTestFinished(() => void socket.close());
  const exceptions: unknown[] = [];
  socket.on('exception', (body: { errorCode: string }) => exceptions.push(body.errorCode));
  const closed = new Promise<{ exceptions: unknown[]; reason: unknown }>((resolve) =>
    socket.on('disconnect', (reason) => resolve({ exceptions, reason })),
  );
  await new Promise<void>((resolve) => socket.on('connect', resolve));
  return {
    send: (event, data) => socket.emit(event, data),
    answer: () => new Promise((resolve) => socket.once('answer', resolve)),
    closed,
    leave: () => void socket.close(),
  };
}

async function connectWs({ onTestFinished }: TestContext, url: string, token: string): Promise<Client> {
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  onTestFinished(() => socket.terminate());
  const exceptions: unknown[] = [];
  const waiting: ((data: unknown) => void)[] = [];
  socket.on('message', (message: Buffer) => {
    const { event, data } = JSON.parse(message.toString()) as { event: string; data: { errorCode?: string } };
    if (event === 'exception') exceptions.push(data.errorCode);
    else waiting.shift()?.(data);
  });
  const closed = new Promise<{ exceptions: unknown[]; reason: unknown }>((resolve) =>
    socket.on('close', (code, reason) => resolve({ exceptions, reason: `${code} ${reason.toString()}` })),
  );
  await once(socket, 'open');
  return {
    send: (event, data) => socket.send(JSON.stringify({ event, data })),
    answer: () => new Promise((resolve) => waiting.push(resolve)),
    closed,
    leave: () => socket.terminate(),
  };
}

const KINDS = [
  ['socket.io', (app: INestApplication) => new IoAdapter(app), connectIo, () => 'io server disconnect'],
  [
    'ws',
    (app: INestApplication) => new WsAdapter(app),
    connectWs,
    (code: number, why: string) => `${code} ${why}`,
  ],
] as const;

// Concurrent, because they wait for real time to pass.
describe.concurrent.each(KINDS)('a %s connection', (kind, newAdapter, connect, reasonFor) => {
  const start = ({ onTestFinished }: TestContext, options: Partial<KmsJwtModuleOptions> = {}) =>
    startApp({
      onTestFinished,
      providers: [KmsJwtGuard, Gateway],
      options,
      prepare: (app) => app.useWebSocketAdapter(newAdapter(app)),
    });

  test('ends within a second of exp', async (context) => {
    const { expect } = context;
    const { url, jwt } = await start(context);
    const exp = soon(2);
    const client = await connect(context, url, await jwt.sign({ exp }));
    const { errorCode, closed } = ENDS[kind];
    expect(await client.closed).toEqual({ exceptions: [errorCode], reason: closed });
    expect(Date.now() / 1000 - exp).toBeGreaterThanOrEqual(0);
    expect(Date.now() / 1000 - exp).toBeLessThan(1);
  });

  test('ends within a second of iat plus maxAge plus clockTolerance', async (context) => {
    const { expect } = context;
    const { url, jwt } = await start(context, { verifyOptions: { maxAge: 2, clockTolerance: 1 } });
    const iat = soon(2) - 3;
    const client = await connect(context, url, await jwt.sign({ iat }));
    await client.closed;
    expect(Math.floor(Date.now() / 1000)).toBe(iat + 3);
  });

  test('stays open after exp with endAtExpiry: false', async (context) => {
    const { expect } = context;
    const { url, jwt } = await start(context, { guard: { endAtExpiry: false } });
    const exp = soon(2);
    const client = await connect(context, url, await jwt.sign({ exp }));
    const ended = await Promise.race([client.closed, nap(exp * 1000 + 1000 - Date.now()).then(() => 'open')]);
    expect(ended).toBe('open');
  });

  test('ends when the token is revoked, at the next recheckInterval', async (context) => {
    const { expect } = context;
    let isRevoked = false;
    const { url, jwt } = await start(context, { isRevoked: () => isRevoked, guard: { recheckInterval: 1 } });
    const client = await connect(context, url, await jwt.sign({}));
    isRevoked = true;
    expect(await client.closed).toEqual({
      exceptions: ['token_revoked'],
      reason: reasonFor(1008, 'token_revoked'),
    });
  });

  test('ends when KMS no longer verifies its token, at the next recheckInterval', async (context) => {
    const { expect } = context;
    const { url, jwt, localKms } = await start(context, {
      verification: 'kms',
      guard: { recheckInterval: 1 },
    });
    const client = await connect(context, url, await jwt.sign({}));
    await localKms.client().send(new DisableKeyCommand({ KeyId: localKms.keys[0]?.keyId }));
    expect(await client.closed).toEqual({
      exceptions: ['token_key_disabled'],
      reason: reasonFor(1008, 'token_key_disabled'),
    });
  });

  test('ends when isRevoked has failed three times in a row', async (context) => {
    const { expect } = context;
    let isUnavailable = false;
    let calls = 0;
    const isRevoked = async () => {
      calls += 1;
      if (isUnavailable) throw new Error('unavailable');
      return false;
    };
    const { url, jwt } = await start(context, { isRevoked, guard: { recheckInterval: 1 } });
    const client = await connect(context, url, await jwt.sign({}));
    // A client is connected before its token is verified.
    await vi.waitFor(() => expect(calls).toBe(1));
    isUnavailable = true;
    calls = 0;
    expect(await client.closed).toEqual({
      exceptions: ['revocation_unavailable'],
      reason: reasonFor(1013, 'revocation_unavailable'),
    });
    expect(calls).toBe(3);
  });

  // Not concurrent, so that nothing delays the client that leaves before its token is verified.
  test.sequential(
    'is no longer watched when its client leaves, before or after its token is verified',
    async (context) => {
      const { expect } = context;
      const { url, jwt } = await start(context, { isRevoked: () => nap(50) });
      const watches = Reflect.get(Reflect.get(jwt.accepted, 'watcher'), 'watches') as Set<object>;
      const token = await jwt.sign({ exp: soon(2) + 60 });
      const [early, late] = await Promise.all([connect(context, url, token), connect(context, url, token)]);
      early.leave();
      await expect.poll(() => watches.size).toBe(1);
      await nap(100);
      expect(watches.size).toBe(1);
      late.leave();
      await expect.poll(() => watches.size).toBe(0);
    },
  );

  test('is renewed by a new token of the same subject, and its messages have the new claims', async (context) => {
    const { expect } = context;
    const { url, jwt } = await start(context);
    const exp = soon(2);
    const client = await connect(context, url, await jwt.sign({ sub: 'user-42', jti: 'first', exp }));
    const say = (event: string, data?: unknown) => {
      const answer = client.answer();
      client.send(event, data);
      return answer;
    };
    expect(await say('me')).toEqual(['first', 'first']);
    expect(await say('renew', await jwt.sign({ sub: 'user-43' }))).toBe(
      'The sub claim does not match the connection',
    );
    expect(await say('renew', 'nonsense')).toBe('The token does not have three parts');
    expect(await say('me')).toEqual(['first', 'first']);
    const renewed = await jwt.sign({ sub: 'user-42', jti: 'second', exp: exp + 1 });
    expect(await say('renew', renewed)).toBe('renewed');
    expect(await say('me')).toEqual(['second', 'second']);
    await client.closed;
    expect(Math.floor(Date.now() / 1000)).toBe(exp + 1);
  });
});

test.concurrent(
  'a socket.io connection without acceptConnection ends when the token of its first message expires',
  async (context) => {
    const { expect, onTestFinished } = context;
    const { url, jwt } = await startApp({
      onTestFinished,
      providers: [KmsJwtGuard, Gateway],
      prepare: (app) => app.useWebSocketAdapter(new IoAdapter(app)),
    });
    const client = await connectIo(context, url, await jwt.sign({ exp: soon(2) }), { unaccepted: true });
    client.send('me');
    expect(await client.closed).toMatchObject({ exceptions: ['token_expired'] });
  },
);
