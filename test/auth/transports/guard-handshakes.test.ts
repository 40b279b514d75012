import type { ExecutionContext } from '@nestjs/common';
import { ConsoleLogger, Injectable, Logger, UseGuards } from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import {
  fromAuthHeader,
  fromCookie,
  type KmsJwtError,
  KmsJwtGuard,
  type KmsJwtService,
  OptionalAuth,
  Scopes,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { watchRejections } from '../../transports/rejections.js';
import { bearer } from '../support.js';
import { type Guarded, handshake, startGuarded, WAYS } from './handshakes.support.js';

@WebSocketGateway()
class Gateway {}

const ADMITTED = { status: 'admitted' };
const unauthorized = (errorCode: string, message: string) => ({
  status: 401,
  'www-authenticate': `Bearer error="invalid_token", error_description="${message}"`,
  body: { statusCode: 401, message, error: 'Unauthorized', errorCode },
});
const COOKIES: Guarded = {
  module: {
    guard: {
      tokenFrom: [fromAuthHeader(), fromCookie('token')],
      allowedOrigins: ['https://app.example.com'],
    },
  },
};
const unavailable: Guarded = { module: { isRevoked: () => Promise.reject(new Error('unavailable')) } };
const inCookie = async (jwt: KmsJwtService) => ({ cookie: `token=${await jwt.sign({})}` });

interface Case {
  name: string;
  headers: (jwt: KmsJwtService) => Promise<Record<string, string | string[]>>;
  expected: object;
  guarded?: Guarded;
}

const CASES: Case[] = [
  { name: 'valid', headers: async (jwt) => bearer(await jwt.sign({})), expected: ADMITTED },
  {
    name: 'missing',
    headers: async () => ({}),
    expected: {
      status: 401,
      'www-authenticate': 'Bearer',
      body: {
        statusCode: 401,
        message: 'The request carries no bearer token',
        error: 'Unauthorized',
        errorCode: 'token_missing',
      },
    },
  },
  {
    name: 'expired',
    headers: async (jwt) => bearer(await jwt.sign({ iat: 1, exp: 2 })),
    expected: unauthorized('token_expired', 'The token has expired'),
  },
  {
    name: 'revoked',
    headers: async (jwt) => bearer(await jwt.sign({})),
    expected: unauthorized('token_revoked', 'The token has been revoked'),
    guarded: { module: { isRevoked: async () => true } },
  },
  {
    name: 'unchecked because the denylist is down',
    headers: async (jwt) => bearer(await jwt.sign({})),
    expected: {
      status: 503,
      'retry-after': '1',
      body: {
        statusCode: 503,
        message: 'Service Unavailable',
        error: 'Service Unavailable',
        errorCode: 'revocation_unavailable',
      },
    },
    guarded: unavailable,
  },
  {
    name: 'in one of two Authorization headers',
    headers: async (jwt) => ({ authorization: [`Bearer ${await jwt.sign({})}`, 'Basic dXNlcjpwYXNz'] }),
    expected: {
      status: 400,
      'www-authenticate':
        'Bearer error="invalid_request", error_description="The request carries more than one bearer token"',
      body: {
        statusCode: 400,
        message: 'The request carries more than one bearer token',
        error: 'Bad Request',
        errorCode: 'token_ambiguous',
      },
    },
  },
  {
    name: 'in a cookie, from another origin',
    headers: async (jwt) => ({ ...(await inCookie(jwt)), origin: 'https://evil.example' }),
    expected: {
      status: 403,
      body: {
        statusCode: 403,
        message: 'The origin of the connection is not allowed',
        error: 'Forbidden',
        errorCode: 'origin_not_allowed',
      },
    },
    guarded: COOKIES,
  },
  {
    name: 'in a cookie, from an allowed origin',
    headers: async (jwt) => ({ ...(await inCookie(jwt)), origin: 'https://app.example.com' }),
    expected: ADMITTED,
    guarded: COOKIES,
  },
];

describe.each(WAYS)('guardHandshakes, for %s', (way) => {
  test.each(CASES)(
    'answers a handshake with a token that is $name',
    async ({ headers, expected, guarded }) => {
      const { url, jwt } = await startGuarded(way, [Gateway], guarded);
      expect(await handshake(way, url, await headers(jwt))).toEqual(expected);
    },
  );

  test('applies the decorators of the given gateway', async () => {
    @VerifyWith({ audience: 'sockets' })
    @Scopes('orders:read')
    @WebSocketGateway()
    class Decorated {}
    const { url, jwt } = await startGuarded(way, [Decorated], { handshakes: { gateway: Decorated } });
    const visit = async (claims: object) => handshake(way, url, bearer(await jwt.sign(claims)));
    expect(await visit({ aud: 'sockets', scope: 'orders:read' })).toEqual(ADMITTED);
    expect(await visit({ aud: 'sockets' })).toMatchObject({
      status: 403,
      'www-authenticate': expect.stringContaining('scope="orders:read"') as string,
    });
    expect(await visit({ scope: 'orders:read' })).toMatchObject({
      body: { errorCode: 'token_claim_invalid' },
    });
  });

  test('admits a client without a token if the gateway allows it, but not with an invalid one', async () => {
    @WebSocketGateway()
    @UseGuards(KmsJwtGuard)
    @OptionalAuth()
    class Open {}
    const { url } = await startGuarded(way, [Open], { handshakes: { gateway: Open } });
    expect(await handshake(way, url)).toEqual(ADMITTED);
    expect(await handshake(way, url, bearer('x.y.z'))).toMatchObject({ status: 401 });
  });

  test('calls each overridden method of a subclass once', async () => {
    const calls: string[] = [];
    @Injectable()
    class CountingGuard extends KmsJwtGuard {
      protected override getToken(context: ExecutionContext) {
        calls.push('getToken');
        const { handshake: known, request } = context.switchToWs().getClient<Record<string, object>>();
        expect(known ?? request).toHaveProperty('headers.authorization');
        return super.getToken(context);
      }
      protected override authenticate(token: string, context: ExecutionContext) {
        calls.push('authenticate');
        return super.authenticate(token, context);
      }
      protected override handleError(error: KmsJwtError): never {
        calls.push(error.code);
        throw new RangeError('the metrics are unavailable');
      }
    }
    const { url, jwt } = await startGuarded(way, [Gateway], { guard: CountingGuard });
    expect(await handshake(way, url, bearer(await jwt.sign({})))).toEqual(ADMITTED);
    expect(calls.splice(0)).toEqual(['getToken', 'authenticate']);
    expect(await handshake(way, url, bearer(await jwt.sign({ exp: 2, iat: 1 })))).toMatchObject({
      status: 401,
    });
    expect(calls).toEqual(['getToken', 'authenticate', 'token_expired']);
  });

  test.each([[undefined], [new RangeError('the user database is unavailable')]])(
    'answers 500 when a subclass throws %s',
    async (thrown) => {
      const rejections = watchRejections();
      @Injectable()
      class BrokenGuard extends KmsJwtGuard {
        protected override authenticate(): never {
          throw thrown as Error;
        }
      }
      const { url, jwt } = await startGuarded(way, [Gateway], { guard: BrokenGuard });
      expect(await handshake(way, url, bearer(await jwt.sign({})))).toEqual({
        status: 500,
        body: {
          statusCode: 500,
          message: 'Internal Server Error',
          error: 'Internal Server Error',
          errorCode: 'internal_error',
        },
      });
      expect(rejections).toEqual([]);
    },
  );

  test('answers within five times limits.timeout, even if a subclass never settles', async () => {
    @Injectable()
    class SilentGuard extends KmsJwtGuard {
      protected override authenticate() {
        return new Promise<never>(() => {});
      }
    }
    const module = { limits: { timeout: 20 } };
    const { url, jwt } = await startGuarded(way, [Gateway], { guard: SilentGuard, module });
    const answer = await handshake(way, url, bearer(await jwt.sign({})));
    expect(answer).toMatchObject({ status: 503, 'retry-after': '1' });
  });

  test('logs an outage once, and nothing for an error of the client', async () => {
    const lines: unknown[] = [];
    const { url, jwt } = await startGuarded(way, [Gateway], unavailable);
    class Lines extends ConsoleLogger {
      override error(line: unknown) {
        lines.push(line);
      }
    }
    Logger.overrideLogger(new Lines());
    onTestFinished(() => Logger.overrideLogger(false));
    await handshake(way, url, bearer(await jwt.sign({})));
    await handshake(way, url);
    expect(lines).toEqual([expect.stringContaining('RevocationUnavailableError')]);
  });
});
