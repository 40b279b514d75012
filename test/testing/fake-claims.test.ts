import { Controller, Get, Injectable, Module, Req, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import {
  Claims,
  Issuers,
  type JwtClaims,
  KmsJwtGuard,
  KmsJwtModule,
  OptionalAuth,
  Public,
  TokenIssuer,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { fakeClaims } from 'nestjs-kms-jwt/testing';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';

const kmsJwt = () =>
  KmsJwtModule.forRoot({
    keyId: 'alias/auth',
    client: new LocalKms({ keys: [{ alias: 'auth' }] }).client(),
    isGlobal: true,
  });

async function start(builder: TestingModuleBuilder) {
  const module = await builder.compile();
  const app = module.createNestApplication({ logger: false });
  onTestFinished(() => app.close());
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return async (path: string) => {
    const response = await fetch(url + path);
    return [response.status, response.ok ? await response.json() : undefined];
  };
}

describe('with an APP_GUARD that is registered with useExisting', () => {
  @Controller()
  class OrdersController {
    @Get('me') me(@Claims() claims: JwtClaims, @TokenIssuer() issuer: string) {
      return { claims, issuer };
    }
    @Get('user') user(@Req() { user }: { user: JwtClaims }) {
      return user;
    }
    @Public() @Get('public') open(@Claims() claims?: JwtClaims) {
      return { claims: claims ?? null };
    }
    @Issuers('own') @Get('own') own() {
      return {};
    }
    @OptionalAuth() @Get('optional') optional(@Claims() claims?: JwtClaims) {
      return { claims: claims ?? null };
    }
  }
  @Module({
    imports: [kmsJwt()],
    controllers: [OrdersController],
    providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }],
  })
  class AppModule {}
  const builder = () => Test.createTestingModule({ imports: [AppModule] });

  test('the app is guarded without an override', async () => {
    const get = await start(builder());
    expect(await get('/me')).toEqual([401, undefined]);
  });

  test('overrideProvider(KmsJwtGuard) replaces the guard', async () => {
    const get = await start(
      builder()
        .overrideProvider(KmsJwtGuard)
        .useValue(fakeClaims({ sub: 'user-42' })),
    );
    expect(await get('/me')).toEqual([200, { claims: { sub: 'user-42' }, issuer: 'own' }]);
    expect(await get('/user')).toEqual([200, { sub: 'user-42' }]);
    expect(await get('/public')).toEqual([200, { claims: null }]);
    expect(await get('/optional')).toEqual([200, { claims: { sub: 'user-42' } }]);
    expect(await get('/own')).toEqual([200, {}]);
  });

  test('each call gets its own copy of the current claims', async () => {
    const claims = { sub: 'user-42' };
    const get = await start(builder().overrideProvider(KmsJwtGuard).useValue(fakeClaims(claims)));
    expect(await get('/user')).toEqual([200, { sub: 'user-42' }]);
    claims.sub = 'user-43';
    expect(await get('/user')).toEqual([200, { sub: 'user-43' }]);
  });

  test('the issuer name and the request property can be set', async () => {
    const fake = fakeClaims({ sub: 'user-42' }, { issuer: 'corp', property: 'auth' });
    const get = await start(builder().overrideProvider(KmsJwtGuard).useValue(fake));
    expect(await get('/me')).toMatchObject([200, { issuer: 'corp' }]);
    expect(await get('/own')).toEqual([401, undefined]);
    // Without `user` the handler returns undefined, which is not JSON.
    await expect(get('/user')).rejects.toThrow(SyntaxError);
  });
});

function controllerGuardedBy(guard: typeof KmsJwtGuard) {
  // Next to a guard on the same class, @Public() does not open the route.
  @Public()
  @UseGuards(guard)
  @Controller()
  class OrdersController {
    @Get('me') me(@Claims() claims?: JwtClaims) {
      return claims ?? {};
    }
  }
  return OrdersController;
}

describe('with @UseGuards()', () => {
  const InternalGuard = KmsJwtGuard.named('internal');
  @Injectable()
  class UserGuard extends KmsJwtGuard {
    protected override async authenticate(): Promise<JwtClaims> {
      throw new TypeError('This test has no user database');
    }
  }
  test.each([
    ['KmsJwtGuard', KmsJwtGuard],
    ['a named guard', InternalGuard],
    ['a subclass', UserGuard],
  ])('overrideGuard replaces %s, and decorators have the same effect as with it', async (_, guard) => {
    @Module({
      imports: [
        kmsJwt(),
        KmsJwtModule.forRoot({
          name: 'internal',
          isGlobal: true,
          keyId: 'alias/internal',
          client: new LocalKms({ keys: [{ alias: 'internal' }] }).client(),
        }),
      ],
      controllers: [controllerGuardedBy(guard as typeof KmsJwtGuard)],
    })
    class AppModule {}
    const fake = fakeClaims({ sub: 'user-42' }, { guard });
    const get = await start(
      Test.createTestingModule({ imports: [AppModule] })
        .overrideGuard(guard)
        .useValue(fake),
    );
    expect(await get('/me')).toEqual([200, { sub: 'user-42' }]);
  });
});

describe('fakeClaims', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  test('answers 500 if NODE_ENV is set to production later', async () => {
    @Controller()
    class MeController {
      @UseGuards(KmsJwtGuard) @Get('me') me(@Claims() claims: JwtClaims) {
        return claims;
      }
    }
    const module = Test.createTestingModule({ imports: [kmsJwt()], controllers: [MeController] });
    const get = await start(module.overrideGuard(KmsJwtGuard).useValue(fakeClaims({ sub: 'user-42' })));
    expect(await get('/me')).toEqual([200, { sub: 'user-42' }]);
    vi.stubEnv('NODE_ENV', 'production');
    expect(await get('/me')).toEqual([500, undefined]);
  });

  test.each([[['user-42']], ['user-42'], [42], [null]])('refuses claims %j', (claims) => {
    expect(() => fakeClaims(claims as never)).toThrow('fakeClaims needs the claims as a plain object');
  });
});
