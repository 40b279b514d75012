import { Controller, Get } from '@nestjs/common';
import { Claims, type JwtClaims, Scopes, VerifyWith } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startGuardedApp } from './support.js';

describe('@Scopes()', () => {
  @Scopes('orders:read')
  @Controller()
  class OrdersController {
    @Get('read') read() {
      return {};
    }
    @Scopes('orders:read', 'orders:write') @Get('write') write() {
      return {};
    }
    @Scopes('admin') @Get('admin') admin() {
      return {};
    }
  }

  test.each([
    ['scope, separated by spaces', { scope: 'openid orders:read' }],
    ['scope, as an array', { scope: ['openid', 'orders:read'] }],
    ['scp, separated by spaces', { scp: 'openid orders:read' }],
    ['scp, as an array', { scp: ['openid', 'orders:read'] }],
  ])('reads the claim %s', async (_, claims) => {
    const get = await startGuardedApp(OrdersController);
    expect((await get('/read', claims))[0]).toBe(200);
  });

  test.each([
    ['no claim', {}],
    ['another scope', { scope: 'orders:write' }],
    ['a longer scope', { scope: 'orders:read:all' }],
    ['a shorter scope', { scope: 'orders' }],
    ['a scope in another case', { scope: 'Orders:Read' }],
    ['a number', { scope: 42 }],
    ['an object', { scope: { 'orders:read': true } }],
    ['a nested array', { scp: [['orders:read']] }],
  ])('refuses %s', async (_, claims) => {
    const get = await startGuardedApp(OrdersController);
    expect(await get('/read', claims)).toEqual([
      403,
      {
        statusCode: 403,
        message: 'The request needs the scope orders:read',
        error: 'Forbidden',
        errorCode: 'insufficient_scope',
      },
    ]);
  });

  test('requires all scopes, and names them all in the refusal', async () => {
    const get = await startGuardedApp(OrdersController);
    expect((await get('/write', { scope: 'orders:read', scp: ['orders:write'] }))[0]).toBe(200);
    expect(await get('/write', { scope: 'orders:write' })).toEqual([
      403,
      expect.objectContaining({ message: 'The request needs the scope orders:read orders:write' }),
    ]);
  });

  test('on a method replaces the scopes of its class', async () => {
    const get = await startGuardedApp(OrdersController);
    expect((await get('/admin', { scope: 'orders:read' }))[0]).toBe(403);
    expect((await get('/admin', { scope: 'admin' }))[0]).toBe(200);
  });

  @Controller()
  class StrippingController {
    @Scopes('orders:read') @VerifyWith({ schema: z.object({ sub: z.string() }) }) @Get() read(
      @Claims() claims: JwtClaims,
    ) {
      return claims;
    }
  }

  test('reads the scopes of the token, even if a schema removes the claim', async () => {
    const get = await startGuardedApp(StrippingController);
    expect(await get('/', { sub: 'user-42', scope: 'orders:read' })).toEqual([200, { sub: 'user-42' }]);
    expect((await get('/', { sub: 'user-42', scope: 'orders:write' }))[0]).toBe(403);
  });

  test('twice on one method requires the scopes of both', async () => {
    @Controller()
    class TwiceController {
      @Scopes('orders:write') @Scopes('orders:read') @Get() read() {
        return {};
      }
    }
    const get = await startGuardedApp(TwiceController);
    expect((await get('/', { scope: 'orders:read orders:write' }))[0]).toBe(200);
    expect((await get('/', { scope: 'orders:write' }))[0]).toBe(403);
    expect((await get('/', { scope: 'orders:read' }))[0]).toBe(403);
  });

  test.each<[string, unknown[]]>([
    ['no scope', []],
    ['undefined', [undefined]],
    ['an array', [['orders:read']]],
    ['an empty string', ['orders:read', '']],
    ['two scopes in one string', ['orders:read orders:write']],
    ['a tab', ['orders:read\t']],
    ['a newline', ['orders:read\n']],
    ['a quotation mark', ['"orders:read"']],
    ['a backslash', ['orders\\read']],
    ['a non-ASCII letter', ['bücher:read']],
    ['a DEL', ['orders:read\x7f']],
  ])('throws for %s', (_, given) => {
    expect(() => Scopes(...(given as [string]))).toThrow(
      expect.objectContaining({ name: 'KmsJwtOptionsError', option: 'Scopes' }),
    );
  });

  test.each(['!', '#', '[', ']', '~', 'https://app.example/orders.read', 'a'.repeat(1000)])(
    'accepts %s, a scope-token of RFC 6749, section 3.3',
    (scope) => {
      expect(() => Scopes(scope)).not.toThrow();
    },
  );
});
