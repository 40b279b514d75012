import { Controller, Get, UseGuards } from '@nestjs/common';
import {
  Claims,
  type JwtClaims,
  KmsJwtGuard,
  OptionalAuth,
  Public,
  Scopes,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { startGuardedApp } from './support.js';

const seen = (claims?: JwtClaims) => ({ sub: claims?.sub ?? null });

describe('@Public()', () => {
  @Public()
  @Controller()
  class OpenController {
    @Get('open') open(@Claims() claims?: JwtClaims) {
      return seen(claims);
    }
    @Public(false) @Get('closed') closed(@Claims() claims: JwtClaims) {
      return seen(claims);
    }
    @OptionalAuth() @Get('optional') optional(@Claims() claims?: JwtClaims) {
      return seen(claims);
    }
  }

  test('exempts a route from the guard of the app, which reads no token there', async () => {
    const get = await startGuardedApp(OpenController);
    expect(await get('/open')).toEqual([200, { sub: null }]);
    expect(await get('/open', 'nonsense')).toEqual([200, { sub: null }]);
    expect(await get('/open', { sub: 'user-42' })).toEqual([200, { sub: null }]);
  });

  test('on a class is overridden by a decorator of a method', async () => {
    const get = await startGuardedApp(OpenController);
    expect((await get('/closed'))[0]).toBe(401);
    expect(await get('/closed', { sub: 'user-42' })).toEqual([200, { sub: 'user-42' }]);
    expect((await get('/optional', 'nonsense'))[0]).toBe(401);
  });

  @Public()
  @Controller()
  class AskingController {
    @Scopes('orders:write') @Get('scopes') scopes() {
      return {};
    }
    @VerifyWith({ requiredClaims: ['jti'] }) @Get('options') options() {
      return {};
    }
    @Public() @Scopes('orders:write') @Get('both') both() {
      return {};
    }
    @Get('open') open() {
      return {};
    }
  }

  test.each([
    ['scopes', { scope: 'orders:write' }, 403],
    ['options', { jti: '1' }, 401],
    ['both', { scope: 'orders:write' }, 403],
  ])(
    'on a class does not open a method with requirements for the token: %s',
    async (path, claims, refused) => {
      const get = await startGuardedApp(AskingController);
      expect((await get(`/${path}`))[0]).toBe(401);
      expect((await get(`/${path}`, { sub: 'user-42' }))[0]).toBe(refused);
      expect((await get(`/${path}`, claims))[0]).toBe(200);
      expect((await get('/open'))[0]).toBe(200);
    },
  );

  test.each([[undefined], [null], ['false'], [0]])(
    'throws for %o, so that only true opens a route',
    (given) => {
      expect(() => Public(given as never)).toThrow(
        expect.objectContaining({ name: 'KmsJwtOptionsError', option: 'Public' }),
      );
    },
  );
});

describe('@OptionalAuth()', () => {
  @Controller()
  class ListController {
    @OptionalAuth() @Get('list') list(@Claims() claims?: JwtClaims) {
      return seen(claims);
    }
    @OptionalAuth() @Scopes('drafts:read') @Get('drafts') drafts(@Claims() claims?: JwtClaims) {
      return seen(claims);
    }
  }

  test('gives the claims of a valid token, none without a token, and refuses an invalid token', async () => {
    const get = await startGuardedApp(ListController);
    expect(await get('/list', { sub: 'user-42' })).toEqual([200, { sub: 'user-42' }]);
    expect(await get('/list')).toEqual([200, { sub: null }]);
    expect(await get('/list', 'nonsense')).toEqual([
      401,
      expect.objectContaining({ errorCode: 'token_malformed' }),
    ]);
    expect((await get('/list', { sub: 'user-42', exp: 1 }))[0]).toBe(401);
  });

  test('does not open a route that needs scopes', async () => {
    const get = await startGuardedApp(ListController);
    expect((await get('/drafts'))[0]).toBe(401);
    expect((await get('/drafts', { sub: 'user-42' }))[0]).toBe(403);
    expect((await get('/drafts', { sub: 'user-42', scope: 'drafts:read' }))[0]).toBe(200);
  });

  @OptionalAuth()
  @Controller()
  class MixedController {
    @Get('list') list() {
      return {};
    }
    @UseGuards(KmsJwtGuard) @Get('own') own() {
      return {};
    }
  }

  test('on a class does not open a method with its own guard', async () => {
    const get = await startGuardedApp(MixedController);
    expect((await get('/list'))[0]).toBe(200);
    expect((await get('/own'))[0]).toBe(401);
    expect((await get('/own', { sub: 'user-42' }))[0]).toBe(200);
  });
});
