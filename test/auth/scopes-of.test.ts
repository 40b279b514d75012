import { Controller, type ExecutionContext, Get, Injectable } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Claims, type JwtClaims, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bearer, startApp, startGuardedApp } from './support.js';

@Controller()
class OrdersController {
  @Scopes('orders:read') @Get() read(@Claims() claims: JwtClaims) {
    return claims;
  }
}

const API_KEYS: Record<string, JwtClaims> = {
  'key-of-a-reader': { sub: 'service-1', scope: 'orders:read' },
  'key-of-a-writer': { sub: 'service-2', scope: 'orders:write' },
};

@Injectable()
class ApiKeyGuard extends KmsJwtGuard {
  protected override async authenticate(token: string, context: ExecutionContext): Promise<JwtClaims> {
    return API_KEYS[token] ?? super.authenticate(token, context);
  }
}

describe('with an overridden authenticate', () => {
  test('an API key has the scopes of the returned claims', async () => {
    const get = await startGuardedApp(OrdersController, {}, ApiKeyGuard);
    expect(await get('/', 'key-of-a-reader')).toEqual([200, API_KEYS['key-of-a-reader']]);
    expect(await get('/', 'key-of-a-writer')).toMatchObject([403, { errorCode: 'insufficient_scope' }]);
    expect(await get('/', 'key-of-nobody')).toMatchObject([401, { errorCode: 'token_malformed' }]);
  });

  test('a token that it passes to super has its own scopes, from before the schema', async () => {
    const schema = z.object({ sub: z.string() });
    const get = await startGuardedApp(OrdersController, { verifyOptions: { schema } }, ApiKeyGuard);
    expect(await get('/', { sub: 'user-42', scope: 'orders:read' })).toEqual([200, { sub: 'user-42' }]);
    expect(await get('/', { sub: 'user-42' })).toMatchObject([403, { errorCode: 'insufficient_scope' }]);
  });

  test.each<[string, (claims: JwtClaims, scope: string) => JwtClaims]>([
    ['a copy of the claims', (claims, scope) => ({ ...claims, scope })],
    ['the modified claims', (claims, scope) => Object.assign(claims, { scope })],
    ['its own user, with scopes in scp', ({ sub }, scope) => ({ id: sub, scp: [scope] })],
  ])('scopes that it sets in %s replace those of the token', async (_, change) => {
    let scope = '';
    @Injectable()
    class RoleGuard extends KmsJwtGuard {
      protected override async authenticate(token: string, context: ExecutionContext) {
        return change(await super.authenticate(token, context), scope);
      }
    }
    const get = await startGuardedApp(OrdersController, {}, RoleGuard);
    scope = 'nothing';
    expect((await get('/', { sub: 'user-42', scope: 'orders:read' }))[0]).toBe(403);
    scope = 'orders:read';
    expect((await get('/', { sub: 'user-42', scope: 'nothing' }))[0]).toBe(200);
  });

  test('a user without scopes has the scopes of the token', async () => {
    @Injectable()
    class UserGuard extends KmsJwtGuard {
      protected override async authenticate(token: string, context: ExecutionContext) {
        const { sub } = await super.authenticate(token, context);
        return { id: sub };
      }
    }
    const get = await startGuardedApp(OrdersController, {}, UserGuard);
    expect(await get('/', { sub: 'user-42', scope: 'orders:read' })).toEqual([200, { id: 'user-42' }]);
    expect((await get('/', { sub: 'user-42' }))[0]).toBe(403);
  });

  test('a schema cannot add scopes', async () => {
    const schema = z.object({ sub: z.string() }).transform((claims) => ({ ...claims, scope: 'orders:read' }));
    const get = await startGuardedApp(OrdersController, { verifyOptions: { schema } });
    expect(await get('/', { sub: 'user-42' })).toMatchObject([403, { errorCode: 'insufficient_scope' }]);
  });

  test('the scopes of a second token that it verifies do not count', async () => {
    let other = '';
    @Injectable()
    class ActorGuard extends KmsJwtGuard {
      protected override async authenticate(token: string, context: ExecutionContext) {
        const claims = await super.authenticate(token, context);
        const actor = await super.authenticate(other, context);
        return { ...claims, act: { sub: actor.sub } };
      }
    }
    const { jwt, get } = await startApp({
      controllers: [OrdersController],
      providers: [{ provide: APP_GUARD, useClass: ActorGuard }],
    });
    const reader = await jwt.sign({ sub: 'reader', scope: 'orders:read' });
    const writer = await jwt.sign({ sub: 'writer', scope: 'orders:write' });
    other = reader;
    expect((await get('/', bearer(writer))).status).toBe(403);
    other = writer;
    const admitted = await get('/', bearer(reader));
    expect(await admitted.json()).toMatchObject({ sub: 'reader', act: { sub: 'writer' } });
  });
});

/** An app whose guard returns these scopes for readers. */
function startWith(scopes: unknown) {
  @Injectable()
  class RoleGuard extends KmsJwtGuard {
    protected override async scopesOf(verified: JwtClaims, context: ExecutionContext) {
      if (context.getHandler().name !== 'read') throw new TypeError('another handler');
      return (verified['role'] === 'reader' ? scopes : super.scopesOf(verified, context)) as string[];
    }
  }
  return startGuardedApp(OrdersController, {}, RoleGuard);
}

describe('an overridden scopesOf', () => {
  test('returns the scopes, and may call super', async () => {
    const get = await startWith(['orders:read']);
    expect((await get('/', { role: 'reader' }))[0]).toBe(200);
    expect((await get('/', { role: 'writer', scope: 'orders:read' }))[0]).toBe(200);
    expect((await get('/', { role: 'writer' }))[0]).toBe(403);
  });

  test.each([['orders:read orders:write'], [undefined], [null], [{ 'orders:read': true }]])(
    'that returns %j is an error of the app: 500',
    async (scopes) => {
      const get = await startWith(scopes);
      expect(await get('/', { role: 'reader' })).toMatchObject([500, { errorCode: 'options_invalid' }]);
    },
  );
});
