import type { IncomingMessage } from 'node:http';
import { ConsoleLogger, type ExecutionContext, Inject, Injectable, Logger, UseGuards } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import {
  fromAuthHeader,
  fromHeader,
  fromQuery,
  type KmsJwtError,
  KmsJwtGuard,
  type KmsJwtModuleOptions,
  Scopes,
  type TokenExtractor,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { ExtractJwt } from 'passport-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { watchRejections } from './rejections.js';
import { startSockets, visitSocketIo, visitWs } from './sockets.support.js';

/** A gateway that sends `welcome` to every client that the guard accepts. */
function gatewayWith(kind: typeof KmsJwtGuard, decorate: ClassDecorator = () => {}) {
  @decorate
  @WebSocketGateway()
  class WelcomingGateway {
    constructor(@Inject(kind) private readonly guard: KmsJwtGuard) {}

    async handleConnection(client: WebSocket, request: IncomingMessage) {
      const isOfWs = typeof client.terminate === 'function';
      const claims = await this.guard.acceptConnection(client, { ...(isOfWs && { request }), gateway: this });
      if (!claims) return;
      if (isOfWs) client.send('{"event":"welcome"}');
      else client.emit('welcome');
    }
  }
  return WelcomingGateway;
}

const WELCOME = { event: 'welcome' };

describe('acceptConnection', () => {
  const calls: string[] = [];
  @Injectable()
  class CountingGuard extends KmsJwtGuard {
    protected override getToken(context: ExecutionContext) {
      calls.push('getToken');
      return super.getToken(context);
    }
    protected override authenticate(token: string, context: ExecutionContext) {
      calls.push('authenticate');
      return super.authenticate(token, context);
    }
    protected override handleError(error: KmsJwtError, context: ExecutionContext) {
      calls.push(error.code);
      return super.handleError(error, context);
    }
  }

  test.each(['ws', 'socket.io'] as const)(
    'calls the methods that a subclass overrides, and applies the decorators of the gateway: %s',
    async (kind) => {
      const decorate: ClassDecorator = (target) => {
        VerifyWith({ audience: 'sockets' })(target);
        Scopes('orders:read')(target);
        UseGuards(CountingGuard)(target);
      };
      const { url, jwt } = await startSockets(kind, [gatewayWith(CountingGuard, decorate), CountingGuard]);
      const visit = async (claims: object) => {
        calls.length = 0;
        const authorization = `Bearer ${await jwt.sign(claims)}`;
        const client =
          kind === 'ws' ? visitWs(url, { authorization }) : visitSocketIo(url, { auth: { authorization } });
        return (await client.next()).event;
      };
      expect(await visit({ aud: 'sockets', scope: 'orders:read' })).toBe('welcome');
      expect(calls).toEqual(['getToken', 'authenticate']);
      expect(await visit({ aud: 'sockets' })).toBe('exception');
      expect(calls).toEqual(['getToken', 'authenticate', 'insufficient_scope']);
      expect(await visit({ scope: 'orders:read' })).toBe('exception');
      expect(calls).toEqual(['getToken', 'authenticate', 'token_claim_invalid']);
    },
  );

  test('requires a token of its own registration, even if the gateway has a guard of another one', async () => {
    const gateway = gatewayWith(KmsJwtGuard, UseGuards(KmsJwtGuard.named('internal')));
    const { url } = await startSockets('ws', [gateway]);
    expect(await visitWs(url, {}).next()).toMatchObject({ data: { errorCode: 'token_missing' } });
  });

  test.each<[string, TokenExtractor]>([
    ['fromQuery', fromQuery('access_token')],
    ['fromUrlQueryParameter of passport-jwt', ExtractJwt.fromUrlQueryParameter('access_token')],
  ])('finds the token in the URL of a ws connection: %s', async (_, tokenFrom) => {
    const { url, jwt } = await startSockets('ws', [gatewayWith(KmsJwtGuard)], { guard: { tokenFrom } });
    const token = await jwt.sign({});
    expect(await visitWs(`${url}/?access_token=${token}`, {}).next()).toEqual(WELCOME);
    const twice = visitWs(`${url}/?access_token=${token}&access_token=${token}`, {});
    expect(await twice.next()).toMatchObject({ data: { errorCode: 'token_ambiguous' } });
  });

  test('refuses a ws connection with two Authorization headers, although Node.js keeps only the first', async () => {
    const { url, jwt } = await startSockets('ws', [gatewayWith(KmsJwtGuard)]);
    const authorization = `Bearer ${await jwt.sign({})}`;
    expect(await visitWs(url, { authorization }).next()).toEqual(WELCOME);
    const twice = visitWs(url, { authorization: [authorization, authorization] });
    expect(await twice.next()).toMatchObject({ data: { errorCode: 'token_ambiguous' } });
  });

  test('logs an error once that the client did not cause', async () => {
    const lines: unknown[] = [];
    const { url, jwt } = await startSockets('ws', [gatewayWith(KmsJwtGuard)], {
      isRevoked: () => 'no' as never,
    });
    class Lines extends ConsoleLogger {
      override error(line: unknown) {
        lines.push(line);
      }
    }
    Logger.overrideLogger(new Lines());
    onTestFinished(() => Logger.overrideLogger(false));
    await visitWs(url, { authorization: `Bearer ${await jwt.sign({})}` }).closed();
    expect(lines).toEqual([expect.stringContaining('RevocationUnavailableError')]);
  });

  /** Throws an error that is not of the library. */
  @Injectable()
  class BrokenGuard extends KmsJwtGuard {
    protected override authenticate(): never {
      throw new RangeError('the user database is unavailable');
    }
  }

  @Injectable()
  class ThrowingGuard extends KmsJwtGuard {
    protected override handleError(): never {
      throw new RangeError('the metrics are unavailable');
    }
  }

  test.each<[number, string, Partial<KmsJwtModuleOptions>, typeof KmsJwtGuard]>([
    [
      1008,
      'token_ambiguous',
      { guard: { tokenFrom: [fromAuthHeader(), fromHeader('x-token')] } },
      KmsJwtGuard,
    ],
    [1008, 'token_revoked', { isRevoked: () => true }, KmsJwtGuard],
    [1008, 'token_revoked', { isRevoked: () => true }, ThrowingGuard],
    [
      1013,
      'revocation_unavailable',
      { isRevoked: () => Promise.reject(new Error('unavailable')) },
      KmsJwtGuard,
    ],
    [1011, 'internal_error', {}, BrokenGuard],
  ])('closes a ws connection with %i for %s, and never rejects', async (code, reason, options, guard) => {
    const rejections = watchRejections();
    const { url, jwt } = await startSockets('ws', [gatewayWith(guard), guard], options);
    const token = await jwt.sign({});
    const client = visitWs(url, { authorization: `Bearer ${token}`, 'x-token': token });
    expect(await client.next()).toMatchObject({ event: 'exception', data: { errorCode: reason } });
    expect(await client.closed()).toEqual({ code, reason });
    expect(rejections).toEqual([]);
  });

  test('disconnects a socket.io client if a subclass throws, and never rejects', async () => {
    const rejections = watchRejections();
    const { url, jwt } = await startSockets('socket.io', [gatewayWith(BrokenGuard), BrokenGuard]);
    const client = visitSocketIo(url, { auth: { token: await jwt.sign({}) } });
    expect(await client.next()).toEqual({
      event: 'exception',
      data: {
        status: 'error',
        statusCode: 500,
        message: 'Internal Server Error',
        errorCode: 'internal_error',
      },
    });
    expect(await client.closed()).toBe('io server disconnect');
    expect(rejections).toEqual([]);
  });
});
