import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { KmsJwtGuard, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { PublishedIssuer } from '../support/published-issuer.js';
import { init, localKms, useKms, withAwsEnvironment } from './kms.js';
import { blocksOf, compile } from './support.js';

useKms({ alias: 'auth' });

test('the routes of the README answer according to their decorators', async () => {
  const { load } = await compile('route-decorators');
  const { OrdersController } = await load('src/recipes/orders.controller.js');
  @Module({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() })],
    controllers: [OrdersController as never],
    providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }],
  })
  class OrdersModule {}
  const app = (await init(OrdersModule as never)).createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/orders`;
  const token = await app
    .get(KmsJwtService, { strict: false })
    .sign({ tenant: 'acme', scope: 'orders:write' });
  const ask = async (method: string, path: string, bearer?: string) =>
    (await fetch(url + path, { method, headers: bearer ? { authorization: `Bearer ${bearer}` } : {} }))
      .status;
  expect(await ask('GET', '/prices')).toBe(200);
  expect([
    await ask('GET', '/offers'),
    await ask('GET', '/offers', 'bad'),
    await ask('GET', '/offers', token),
  ]).toEqual([200, 401, 200]);
  expect([await ask('POST', ''), await ask('POST', '', token)]).toEqual([401, 201]);
  expect(await ask('DELETE', '', token)).toBe(401);
  await app.close();
});

test('the module of the README accepts own tokens and those of Keycloak', () =>
  withAwsEnvironment(async () => {
    const keycloak = await PublishedIssuer.start('keycloak');
    const blocks = await blocksOf('README.md');
    const local = blocks.map((one) => ({ ...one, text: keycloak.localized(one.text) }));
    const { load } = await compile('keycloak', local);
    const loaded = await load('src/recipes/keycloak.module.js');
    const module = await init(loaded['module'] as never);
    const jwt = module.get(KmsJwtService);
    const own = await jwt.sign({ sub: 'user-42' });
    await expect(jwt.verify(own)).resolves.toMatchObject({ sub: 'user-42' });
    await expect(jwt.verify(keycloak.token())).resolves.toMatchObject({ iss: `${keycloak.url}/realms/shop` });
    await expect(jwt.verify(keycloak.token(), { issuers: ['own'] })).rejects.toMatchObject({ claim: 'iss' });
    await module.close();
    await keycloak.close();
  }));
