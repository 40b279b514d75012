import { Controller, type ExecutionContext, Get, Injectable, Req, UseGuards } from '@nestjs/common';
import { Claims, type JwtClaims, KmsJwtGuard, TokenClaimError } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { startGuardedApp } from './support.js';

describe('several guards', () => {
  @Injectable()
  class AdminGuard extends KmsJwtGuard {
    protected override async authenticate(token: string, context: ExecutionContext) {
      const claims = await super.authenticate(token, context);
      if (claims['role'] !== 'admin')
        throw new TokenClaimError('role', 'mismatch', 'The role claim is not admin');
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
  ])('include a stricter one %s, even if a looser one is nearer', async (_, controller, appGuard) => {
    const get = await startGuardedApp(controller, {}, appGuard);
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

  test('of one class on app, class and method verify a token once', async () => {
    const asked: unknown[] = [];
    const isRevoked = ({ sub }: JwtClaims) => asked.push(sub) < 0;
    const get = await startGuardedApp(RepeatingController, { isRevoked });
    expect(await get('/', { sub: 'user-42' })).toEqual([200, { sub: 'user-42' }]);
    expect(asked).toEqual(['user-42']);
    expect(await get('/', { sub: 'user-43' })).toEqual([200, { sub: 'user-43' }]);
    expect(asked).toEqual(['user-42', 'user-43']);
  });
});

describe('the option guard.property', () => {
  @Controller()
  @UseGuards(KmsJwtGuard)
  class RequestController {
    @Get() read(@Req() request: { user?: JwtClaims; auth?: JwtClaims }, @Claims('sub') sub: string) {
      return { user: request.user?.sub ?? null, auth: request.auth?.sub ?? null, sub };
    }
  }

  test.each([
    ['on request.user by default', undefined, { user: 'user-42', auth: null }],
    ['on the given property', { guard: { property: 'auth' } }, { user: null, auth: 'user-42' }],
  ])('puts the claims %s; @Claims() has them in any case', async (_, options, expected) => {
    const get = await startGuardedApp(RequestController, options);
    expect(await get('/', { sub: 'user-42' })).toEqual([200, { ...expected, sub: 'user-42' }]);
  });
});
