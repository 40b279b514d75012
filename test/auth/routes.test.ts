import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Req,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import {
  Claims,
  type JwtClaims,
  KmsJwtGuard,
  type KmsJwtModuleOptions,
  OptionalAuth,
  Public,
  Scopes,
  TokenClaimError,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bearer, startApp } from './support.js';

const seen = (claims?: JwtClaims) => ({ sub: claims?.sub ?? null });

/** Starts an app with the guard on all its routes, and gives the status and the body of a path. */
async function start(controller: Type, options?: Partial<KmsJwtModuleOptions>, appGuard: Type = KmsJwtGuard) {
  const { jwt, get } = await startApp({
    controllers: [controller],
    providers: [{ provide: APP_GUARD, useClass: appGuard }],
    ...(options && { options }),
  });
  return async (path: string, claims?: object | string) => {
    const token = typeof claims === 'object' ? await jwt.sign(claims) : claims;
    const response = await get(path, token === undefined ? {} : bearer(token));
    return [response.status, await response.json()] as const;
  };
}

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

  test('opens what the guard of the app closes, and looks at no token', async () => {
    const get = await start(OpenController);
    expect(await get('/open')).toEqual([200, { sub: null }]);
    expect(await get('/open', 'nonsense')).toEqual([200, { sub: null }]);
    expect(await get('/open', { sub: 'user-42' })).toEqual([200, { sub: null }]);
  });

  test('on a class gives way to what a method says', async () => {
    const get = await start(OpenController);
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
  ])('opens no method that asks something of its token: %s', async (path, claims, refused) => {
    const get = await start(AskingController);
    expect((await get(`/${path}`))[0]).toBe(401);
    expect((await get(`/${path}`, { sub: 'user-42' }))[0]).toBe(refused);
    expect((await get(`/${path}`, claims))[0]).toBe(200);
    expect((await get('/open'))[0]).toBe(200);
  });
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

  test('gives the claims of a good token, none without a token, and refuses a bad one', async () => {
    const get = await start(ListController);
    expect(await get('/list', { sub: 'user-42' })).toEqual([200, { sub: 'user-42' }]);
    expect(await get('/list')).toEqual([200, { sub: null }]);
    expect(await get('/list', 'nonsense')).toEqual([
      401,
      expect.objectContaining({ errorCode: 'token_malformed' }),
    ]);
    expect((await get('/list', { sub: 'user-42', exp: 1 }))[0]).toBe(401);
  });

  test('does not open what asks for scopes', async () => {
    const get = await start(ListController);
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

  test('on a class does not open a method with a guard of its own', async () => {
    const get = await start(MixedController);
    expect((await get('/list'))[0]).toBe(200);
    expect((await get('/own'))[0]).toBe(401);
    expect((await get('/own', { sub: 'user-42' }))[0]).toBe(200);
  });
});

describe('of several guards', () => {
  @Injectable()
  class AdminGuard extends KmsJwtGuard {
    protected override async authenticate(token: string, context: ExecutionContext) {
      const claims = await super.authenticate(token, context);
      if (claims['role'] !== 'admin') throw new TokenClaimError('role', 'is not admin');
      return claims;
    }
  }

  class Handlers {
    @UseGuards(KmsJwtGuard) @Get('looser') looser() {
      return {};
    }
  }

  @Controller()
  @UseGuards(AdminGuard)
  class StrictController extends Handlers {}

  @Controller()
  class PlainController extends Handlers {}

  test.each([
    ['on the class', StrictController, KmsJwtGuard],
    ['of the app', PlainController, AdminGuard],
  ])('a stricter one %s is asked, although a looser one stands nearer', async (_, controller, appGuard) => {
    const get = await start(controller, {}, appGuard);
    expect(await get('/looser', { role: 'guest' })).toEqual([
      401,
      expect.objectContaining({ errorCode: 'token_claim_invalid' }),
    ]);
    expect((await get('/looser', { role: 'admin' }))[0]).toBe(200);
  });

  @Controller()
  @UseGuards(KmsJwtGuard)
  class RepeatingController {
    @UseGuards(KmsJwtGuard) @Get() read(@Claims('sub') sub: string) {
      return { sub };
    }
  }

  test('the same at app, class and method verifies once', async () => {
    const asked: unknown[] = [];
    const isRevoked = ({ sub }: JwtClaims) => asked.push(sub) < 0;
    const get = await start(RepeatingController, { isRevoked });
    expect(await get('/', { sub: 'user-42' })).toEqual([200, { sub: 'user-42' }]);
    expect(asked).toEqual(['user-42']);
    expect(await get('/', { sub: 'user-43' })).toEqual([200, { sub: 'user-43' }]);
    expect(asked).toEqual(['user-42', 'user-43']);
  });
});

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
  ])('finds them in the claim %s', async (_, claims) => {
    const get = await start(OrdersController);
    expect((await get('/read', claims))[0]).toBe(200);
  });

  test.each([
    ['no claim', {}],
    ['another scope', { scope: 'orders:write' }],
    ['a longer one', { scope: 'orders:read:all' }],
    ['a shorter one', { scope: 'orders' }],
    ['another case', { scope: 'Orders:Read' }],
    ['a number', { scope: 42 }],
    ['an object', { scope: { 'orders:read': true } }],
    ['a nested array', { scp: [['orders:read']] }],
  ])('refuses %s', async (_, claims) => {
    const get = await start(OrdersController);
    expect(await get('/read', claims)).toEqual([
      403,
      {
        statusCode: 403,
        message: 'The request needs the scope orders:read',
        errorCode: 'insufficient_scope',
      },
    ]);
  });

  test('asks for all of them, and names them all', async () => {
    const get = await start(OrdersController);
    expect((await get('/write', { scope: 'orders:read', scp: ['orders:write'] }))[0]).toBe(200);
    expect(await get('/write', { scope: 'orders:write' })).toEqual([
      403,
      expect.objectContaining({ message: 'The request needs the scope orders:read orders:write' }),
    ]);
  });

  test('on a method stands in the place of what its class says', async () => {
    const get = await start(OrdersController);
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

  test('asks the token itself, whatever a schema left of it', async () => {
    const get = await start(StrippingController);
    expect(await get('/', { sub: 'user-42', scope: 'orders:read' })).toEqual([200, { sub: 'user-42' }]);
    expect((await get('/', { sub: 'user-42', scope: 'orders:write' }))[0]).toBe(403);
  });
});

describe('@VerifyWith()', () => {
  const schema = z.object({ sub: z.string(), level: z.coerce.number() });

  @VerifyWith({ audience: 'admin' })
  @Controller()
  class AdminController {
    @Get('class') byClass(@Claims('sub') sub: string) {
      return { sub };
    }
    @VerifyWith({ requiredClaims: ['jti'] }) @Get('method') byMethod(@Claims('sub') sub: string) {
      return { sub };
    }
    @VerifyWith({ audience: 'admin', schema }) @Get('schema') typed(@Claims() claims: JwtClaims) {
      return claims;
    }
    @VerifyWith({ audience: 'admin', maxAge: '5m' }) @Get('fresh') fresh() {
      return {};
    }
  }

  const options = { verifyOptions: { audience: 'orders' } };

  test('on a class stands before the module’s options', async () => {
    const get = await start(AdminController, options);
    expect(await get('/class', { sub: 'user-42', aud: 'admin' })).toEqual([200, { sub: 'user-42' }]);
    expect((await get('/class', { sub: 'user-42', aud: 'orders' }))[0]).toBe(401);
  });

  test('on a method stands in the place of what its class says, and before the module’s options', async () => {
    const get = await start(AdminController, options);
    expect((await get('/method', { sub: 'user-42', aud: 'orders', jti: '1' }))[0]).toBe(200);
    expect((await get('/method', { sub: 'user-42', aud: 'admin', jti: '1' }))[0]).toBe(401);
    expect((await get('/method', { sub: 'user-42', aud: 'orders' }))[0]).toBe(401);
  });

  test('gives the output of its schema to @Claims(), and 401 to what does not fit', async () => {
    const get = await start(AdminController, options);
    expect(await get('/schema', { sub: 'user-42', aud: 'admin', level: '3' })).toEqual([
      200,
      { sub: 'user-42', level: 3 },
    ]);
    expect(await get('/schema', { sub: 'user-42', aud: 'admin', level: 'top secret' })).toEqual([
      401,
      {
        statusCode: 401,
        message: 'The claim level does not fit the schema',
        errorCode: 'token_claim_invalid',
      },
    ]);
  });

  test('may ask for a fresh token', async () => {
    const get = await start(AdminController, options);
    const now = Math.floor(Date.now() / 1000);
    expect((await get('/fresh', { aud: 'admin', iat: now - 10 }))[0]).toBe(200);
    expect((await get('/fresh', { aud: 'admin', iat: now - 3600 }))[0]).toBe(401);
  });

  test('with a wrong option is the program’s mistake, and told at once', () => {
    expect(() => VerifyWith({ audiance: 'admin' } as never)).toThrow(
      expect.objectContaining({ name: 'KmsJwtOptionsError', option: 'audiance' }),
    );
  });
});

describe('property', () => {
  @Controller()
  @UseGuards(KmsJwtGuard)
  class RequestController {
    @Get() read(@Req() request: { user?: JwtClaims; auth?: JwtClaims }, @Claims('sub') sub: string) {
      return { user: request.user?.sub ?? null, auth: request.auth?.sub ?? null, sub };
    }
  }

  test.each([
    ['by default at user', undefined, { user: 'user-42', auth: null }],
    ['at the property of the options', { property: 'auth' }, { user: null, auth: 'user-42' }],
  ])('the claims stand %s, and in @Claims() anyway', async (_, options, expected) => {
    const get = await start(RequestController, options);
    expect(await get('/', { sub: 'user-42' })).toEqual([200, { ...expected, sub: 'user-42' }]);
  });
});
