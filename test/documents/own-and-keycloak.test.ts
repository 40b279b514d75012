import type { INestApplication } from '@nestjs/common';
import { KmsJwtService } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PublishedIssuer } from '../support/published-issuer.js';
import { init, useKms, withAwsEnvironment } from './kms.js';
import { compile } from './support.js';

const { load } = await compile('issuers');
useKms({ alias: 'auth' });

let keycloak: PublishedIssuer;
let app: INestApplication;

beforeAll(async () => {
  keycloak = await PublishedIssuer.start('keycloak');
  await withAwsEnvironment(async () => {
    process.env['KEYCLOAK_ISSUER'] = `${keycloak.url}/realms/shop`;
    const { IssuersModule } = await load('src/recipes/issuers.module.js');
    app = (await init(IssuersModule as never)).createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
  });
});
afterAll(async () => {
  await app.close();
  await keycloak.close();
});

const get = async (path: string, token: string) =>
  fetch(`${await app.getUrl()}/${path}`, { headers: { authorization: `Bearer ${token}` } });
const ownToken = () => app.get(KmsJwtService, { strict: false }).sign({ sub: 'user-42' });

test('one guard accepts own tokens and those of Keycloak, and the handler gets the issuer', async () => {
  const own = await get('orders', await ownToken());
  expect(await own.json()).toEqual({ issuer: 'own', subject: 'user-42' });
  const foreign = await get('orders', keycloak.token());
  expect(await foreign.json()).toMatchObject({ issuer: 'keycloak' });
  expect((await get('orders', keycloak.token({ token: 'idToken' }))).status).toBe(401);
});

test('a route can accept only own tokens', async () => {
  expect((await get('orders/internal', await ownToken())).status).toBe(200);
  expect((await get('orders/internal', keycloak.token())).status).toBe(401);
});
