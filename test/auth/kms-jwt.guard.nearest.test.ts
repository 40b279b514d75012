import { Controller, Get, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Claims, getKmsJwtServiceToken, KmsJwtGuard, KmsJwtService, Public } from 'nestjs-kms-jwt';
import { beforeEach, describe, expect, test } from 'vitest';
import { ADAPTERS, appsOn, InternalController, OpenController } from './kms-jwt.guard.support.js';

@Public()
@Controller('class')
class PublicController {
  @Get('public') open() {
    return 'open';
  }
  @Public(false) @Get('closed') closed() {
    return 'closed';
  }
}

@Public()
@Controller('nearest')
class NearestController {
  @UseGuards(KmsJwtGuard.named('internal')) @Get('internal') internal(@Claims('sub') sub: string) {
    return { sub };
  }
  @Public() @UseGuards(KmsJwtGuard.named('internal')) @Get('beside') beside() {
    return 'beside';
  }
  @UseGuards(KmsJwtGuard) @Get('method') method() {
    return 'method';
  }
  @Get('open') open() {
    return 'open';
  }
}

describe.each(Object.entries(ADAPTERS))('on %s', (_, newAdapter) => {
  const { current, start, get, login } = appsOn(newAdapter);

  describe('as APP_GUARD', () => {
    beforeEach(() =>
      start([PublicController, InternalController], {
        providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }],
      }),
    );

    test('protects every route except public ones; the decorator of a route overrides that of its controller', async () => {
      expect((await get('/class/public')).status).toBe(200);
      expect((await get('/class/closed')).status).toBe(401);
      expect((await get('/internal/token')).status).toBe(401);
    });
  });

  describe('with several guards, the nearest one decides, and @Public() on the same level does not override it', () => {
    const tokens: Record<string, string> = {};
    beforeEach(async () => {
      await start([NearestController, InternalController, OpenController], {
        providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }],
      });
      const jwt = current.app?.get<KmsJwtService>(getKmsJwtServiceToken('internal'), { strict: false });
      const outer = current.app?.get(KmsJwtService, { strict: false });
      tokens['internal'] = (await jwt?.sign({ sub: 'service' })) ?? '';
      tokens['outer'] = (await outer?.sign({ sub: 'user-42', aud: 'orders' })) ?? '';
      tokens['bad'] = 'nonsense';
    });

    test.each([
      ['internal', { internal: 200, outer: 401, bad: 401, none: 401 }],
      ['beside', { internal: 200, outer: 401, bad: 401, none: 401 }],
      ['method', { internal: 401, outer: 200, bad: 401, none: 401 }],
      ['open', { internal: 200, outer: 200, bad: 200, none: 200 }],
    ])('/nearest/%s answers %j', async (path, statuses) => {
      for (const [name, status] of Object.entries(statuses)) {
        const token = tokens[name];
        const response = await get(`/nearest/${path}`, token && `Bearer ${token}`);
        expect([name, response.status]).toEqual([name, status]);
        if (path === 'internal' && status === 200) expect(await response.json()).toEqual({ sub: 'service' });
      }
    });
  });

  test('KmsJwtGuard.named verifies with the named registration', async () => {
    await start([InternalController, OpenController]);
    const token = await (await get('/internal/token')).text();
    expect(await (await get('/internal/guarded', `Bearer ${token}`)).json()).toEqual({ sub: 'service' });
    const other = await get('/internal/guarded', `Bearer ${await login()}`);
    expect(await other.json()).toMatchObject({ statusCode: 401, errorCode: 'token_key_unknown' });
  });
});
