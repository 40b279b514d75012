import { Controller, type ExecutionContext, Get, HttpException, Injectable, UseGuards } from '@nestjs/common';
import { Claims, type JwtClaims, KmsJwtError, KmsJwtGuard } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { bearer, startApp } from './support.js';

test('getToken may read the token of a legacy client', async () => {
  @Injectable()
  class LegacyGuard extends KmsJwtGuard {
    protected override getToken(context: ExecutionContext) {
      const request = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
      return super.getToken(context) ?? request.headers['x-legacy-token'];
    }
  }
  @Controller()
  @UseGuards(LegacyGuard)
  class OrdersController {
    @Get() read(@Claims('sub') sub: string) {
      return { sub };
    }
  }
  const { jwt, get } = await startApp({ controllers: [OrdersController] });
  const token = await jwt.sign({ sub: 'user-42' });
  expect(await (await get('/', bearer(token))).json()).toEqual({ sub: 'user-42' });
  expect(await (await get('/', { 'x-legacy-token': token })).json()).toEqual({ sub: 'user-42' });
  expect((await get('/')).status).toBe(401);
});

test('authenticate may add to the claims that @Claims() gives', async () => {
  @Injectable()
  class UserGuard extends KmsJwtGuard {
    protected override async authenticate(token: string, context: ExecutionContext) {
      const claims = await super.authenticate(token, context);
      return { ...claims, user: { id: claims.sub, name: 'Ada' } };
    }
  }
  @Controller()
  @UseGuards(UserGuard)
  class OrdersController {
    @Get() read(@Claims() claims: JwtClaims) {
      return claims['user'];
    }
  }
  const { jwt, get } = await startApp({ controllers: [OrdersController] });
  const response = await get('/', bearer(await jwt.sign({ sub: 'user-42' })));
  expect(await response.json()).toEqual({ id: 'user-42', name: 'Ada' });
  expect((await get('/', bearer('nonsense'))).status).toBe(401);
});

test('handleError may answer differently, and count errors', async () => {
  const counted: string[] = [];
  @Injectable()
  class CountingGuard extends KmsJwtGuard {
    protected override handleError(error: KmsJwtError, context: ExecutionContext) {
      counted.push(error.code);
      if (error.code === 'token_expired') return new HttpException('Log in again', 419);
      return super.handleError(error, context);
    }
  }
  @Controller()
  @UseGuards(CountingGuard)
  class OrdersController {
    @Get() read() {
      return {};
    }
  }
  const { jwt, get } = await startApp({ controllers: [OrdersController] });
  expect((await get('/', bearer(await jwt.sign({ exp: 1 })))).status).toBe(419);
  expect((await get('/')).status).toBe(401);
  expect((await get('/', bearer(await jwt.sign({})))).status).toBe(200);
  expect(counted).toEqual(['token_expired', 'token_missing']);
});
