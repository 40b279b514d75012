import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { Claims, KmsJwtGuard, KmsJwtModule, KmsJwtService, Scopes } from 'nestjs-kms-jwt';
import { afterEach, describe, expect, test } from 'vitest';
import { init, localKms, useKms, withAwsEnvironment } from './kms.js';
import { load } from './load.js';

useKms({ alias: 'auth' });

let app: INestApplication;
afterEach(() => app.close());

async function listen(module: unknown): Promise<void> {
  app = (await init(module as never)).createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
}
const sign = (sub: string) => app.get(KmsJwtService, { strict: false }).sign({ sub });
const get = async (path: string, token?: string) =>
  fetch(`${await app.getUrl()}/${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });

describe('docs/recipes.md', () => {
  test('feature modules: a token that one signs is for the audience of the recipe', () =>
    withAwsEnvironment(async () => {
      const { InvoicesModule } = await load('src/recipes/feature.module.js');
      await listen(InvoicesModule);
      expect((await get('invoices/link')).status).toBe(401);
      const response = await get('invoices/link', await sign('user-42'));
      const { token } = (await response.json()) as { token: string };
      const jwt = app.get(KmsJwtService, { strict: false });
      await expect(jwt.verify(token, { audience: 'invoices' })).resolves.toMatchObject({ sub: 'user-42' });
    }));

  test('loading the user: @Claims() has the user, and an unknown user is refused', async () => {
    const { UserGuard, Users } = await load('src/recipes/user.guard.js');
    @Controller()
    class MeController {
      @Get('me') me(@Claims('user') user: object) {
        return user;
      }
    }
    @Module({
      imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() })],
      controllers: [MeController],
      providers: [Users as never, UserGuard as never, { provide: APP_GUARD, useExisting: UserGuard }],
    })
    class AppModule {}
    await listen(AppModule);
    expect(await (await get('me', await sign('user-42'))).json()).toEqual({ id: 'user-42', name: 'Ada' });
    const unknown = await get('me', await sign('user-43'));
    expect([unknown.status, await unknown.json()]).toMatchObject([401, { errorCode: 'token_rejected' }]);
  });

  test('moving from a shared secret (HS256)', async () => {
    const { MigrationGuard } = await load('src/recipes/migration.guard.js');
    @Controller()
    class OrdersController {
      @Get('me') me(@Claims() claims: object) {
        return claims;
      }
      @Scopes('orders:read')
      @Get('orders')
      list(@Claims('sub') sub: string) {
        return { of: sub };
      }
    }
    const secret = 'a secret of 256 bits or more, for HS256';
    @Module({
      imports: [
        KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() }),
        JwtModule.register({ secret, signOptions: { expiresIn: '15m' } }),
      ],
      controllers: [OrdersController],
      providers: [MigrationGuard as never, { provide: APP_GUARD, useExisting: MigrationGuard }],
    })
    class AppModule {}
    await listen(AppModule);
    const old = app.get(JwtService, { strict: false });
    const oldToken = old.sign({ sub: 'user-42', scope: 'orders:read' });
    for (const token of [oldToken, await sign('user-42')]) {
      expect(await (await get('me', token)).json()).toMatchObject({ sub: 'user-42' });
    }
    expect(await (await get('orders', oldToken)).json()).toEqual({ of: 'user-42' });
    expect((await get('orders', old.sign({ sub: 'user-42' }))).status).toBe(403);

    const refused: [code: string, token: string | undefined][] = [
      ['token_missing', undefined],
      ['token_malformed', 'opaque'],
      ['token_rejected', old.sign({ sub: 'user-42' }, { secret: 'another secret' })],
      ['token_rejected', old.sign({ sub: 'user-42' }, { expiresIn: -1 })],
      ['token_key_unknown', old.sign({ sub: 'user-42' }, { algorithm: 'HS512' })],
    ];
    for (const [errorCode, token] of refused) {
      const response = await get('me', token);
      expect([response.status, await response.json()]).toMatchObject([401, { errorCode }]);
    }
  });

  test('claims in services: concurrent calls each have their own', async () => {
    const { OrdersModule, OrdersService } = await load('src/recipes/claims-in-services.js');
    @Controller()
    class OrdersController {
      constructor(private readonly orders: { list(): object }) {}
      @Get('orders') list() {
        return this.orders.list();
      }
    }
    Reflect.defineMetadata('design:paramtypes', [OrdersService], OrdersController);
    @Module({
      imports: [
        KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() }),
        OrdersModule as never,
      ],
      controllers: [OrdersController],
      providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }],
    })
    class AppModule {}
    await listen(AppModule);
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    const tokens = await Promise.all(users.map(sign));
    const responses = await Promise.all(tokens.map((token) => get('orders', token)));
    expect(await Promise.all(responses.map((response) => response.json()))).toEqual(
      users.map((of) => ({ of })),
    );
  });

  test('a health check with Terminus answers 200', () =>
    withAwsEnvironment(async () => {
      const { HealthModule } = await load('src/recipes/health.module.js');
      await listen(HealthModule);
      const response = await get('health/ready');
      expect(await response.json()).toMatchObject({ status: 'ok', info: { 'kms-jwt': { status: 'up' } } });
      expect(response.status).toBe(200);
    }));
});
