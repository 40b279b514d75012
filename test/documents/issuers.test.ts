import { type INestApplication, Module, type Type } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { type IssuerLookupFunction, type IssuerOptions, KmsJwtGuard, KmsJwtModule } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PublishedIssuer } from '../support/published-issuer.js';
import { ISSUER_CASES } from './issuers.cases.js';
import { init } from './kms.js';
import { blocksOf, compile, fileOf } from './support.js';

const blocks = await blocksOf('docs/issuers.md');

/** The code of the document, with the URLs of these servers instead of the issuers'. */
const compiled = (name: string, issuers: PublishedIssuer[]) =>
  compile(
    `issuers/${name}`,
    blocks.map(({ language, text }) => ({
      language,
      text: issuers.reduce((changed, issuer) => issuer.localized(changed), text),
    })),
  );

async function listen(module: Type): Promise<INestApplication> {
  const app = (await init(module as never)).createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  return app;
}

/** An app with the record and the controller of the document. */
function appOf(issuers: IssuerOptions[] | IssuerLookupFunction, OrdersController: Type) {
  @Module({
    imports: [KmsJwtModule.forRoot({ issuers })],
    controllers: [OrdersController],
    providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }],
  })
  class IssuerModule {}
  return listen(IssuerModule);
}

async function get(app: INestApplication, path: string, token: string) {
  const response = await fetch(`${await app.getUrl()}/${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body = (await response.json()) as { message?: string; errorCode?: string; issuer?: string };
  return { status: response.status, body };
}

test('the document has no record that is not tested here', () => {
  const files = ISSUER_CASES.map(({ file }) => `src/issuers/${file}.ts`);
  const others = ['orders.module', 'entra-tenants', 'snapshot'].map((file) => `src/issuers/${file}.ts`);
  const found = blocks.map((block) => fileOf(block)).filter((file) => file?.startsWith('src/issuers/'));
  expect(new Set(found)).toEqual(new Set([...files, ...others]));
});

describe.each(ISSUER_CASES)('the record $record', ({ record, file, issuer: name, ...tokens }) => {
  let issuer: PublishedIssuer;
  let app: INestApplication;
  let options: IssuerOptions;

  beforeAll(async () => {
    issuer = await PublishedIssuer.start(name);
    const { load } = await compiled(record, [issuer]);
    options = (await load(`src/issuers/${file}.js`))[record] as unknown as IssuerOptions;
    const { OrdersController } = await load('src/issuers/orders.module.js');
    app = await appOf([options], OrdersController as unknown as Type);
  });
  afterAll(async () => {
    await app.close();
    await issuer.close();
  });
  const orders = (token: string) => get(app, 'orders', token);

  test('accepts an access token for this service', async () => {
    const { status, body } = await orders(issuer.token(tokens.accepted));
    if (tokens.hasScopes) expect([status, body.issuer]).toEqual([200, options.name]);
    else expect([status, body.errorCode]).toEqual([403, 'insufficient_scope']);
  });

  test('reads the scopes of the token', async () => {
    expect(await orders(issuer.token(tokens.withoutScope))).toMatchObject({
      status: 403,
      body: { errorCode: 'insufficient_scope' },
    });
  });

  test.each(tokens.refused)('refuses $name', async ({ token, says }) => {
    const { status, body } = await orders(issuer.token({ ...tokens.accepted, ...token }));
    expect(status).toBe(401);
    expect(body.message).toMatch(new RegExp(`\\b${says}\\b`));
  });

  test('refuses an expired token, a token of another issuer, and one signed with another key', async () => {
    const changed = (claims: object) =>
      issuer.token({ ...tokens.accepted, claims: { ...tokens.accepted.claims, ...claims } });
    expect((await orders(changed({ exp: 1 }))).body.errorCode).toBe('token_expired');
    expect((await orders(changed({ iss: `${options.issuer}x` }))).status).toBe(401);
    const other = await PublishedIssuer.start(name);
    const forged = other.token({ ...tokens.accepted, claims: { iss: options.issuer } });
    expect((await orders(forged)).body.errorCode).toBe('token_signature_invalid');
    await other.close();
  });
});

describe('several issuers in one app', () => {
  let cognito: PublishedIssuer;
  let keycloak: PublishedIssuer;
  let app: INestApplication;

  beforeAll(async () => {
    cognito = await PublishedIssuer.start('cognito');
    keycloak = await PublishedIssuer.start('keycloak');
    const { load } = await compiled('several', [cognito, keycloak]);
    app = await listen((await load('src/issuers/orders.module.js'))['OrdersModule'] as unknown as Type);
  });
  afterAll(async () => {
    await app.close();
    await cognito.close();
    await keycloak.close();
  });

  test('accept their tokens under their own names', async () => {
    expect((await get(app, 'orders', cognito.token())).body.issuer).toBe('cognito');
    expect((await get(app, 'orders', keycloak.token())).body.issuer).toBe('keycloak');
  });

  test('a route can accept only one of them', async () => {
    expect((await get(app, 'payroll', keycloak.token())).status).toBe(200);
    expect((await get(app, 'payroll', cognito.token())).status).toBe(401);
  });

  test('a token of one with the iss of another is refused', async () => {
    const claims = { iss: `${keycloak.url}/realms/shop`, aud: 'orders', typ: 'Bearer', azp: 'shop-web' };
    expect((await get(app, 'orders', cognito.token({ claims }))).status).toBe(401);
  });
});

describe('the tenants of Entra ID', () => {
  let entra: PublishedIssuer;
  let app: INestApplication;
  let tenants: Set<string>;
  const TENANT = 'aaaabbbb-0000-cccc-1111-dddd2222eeee';
  const STRANGER = 'ffffffff-0000-cccc-1111-dddd2222eeee';

  beforeAll(async () => {
    entra = await PublishedIssuer.start('entra-v2');
    const { load } = await compiled('tenants', [entra]);
    const loaded = await load('src/issuers/entra-tenants.js');
    tenants = loaded['tenants'] as unknown as Set<string>;
    const { OrdersController } = await load('src/issuers/orders.module.js');
    app = await appOf(
      loaded['issuers'] as unknown as IssuerLookupFunction,
      OrdersController as unknown as Type,
    );
  });
  afterAll(async () => {
    await app.close();
    await entra.close();
  });
  const issuerOf = (tenant: string) => `${entra.url}/${tenant}/v2.0`;

  test('a token of a known tenant is accepted, with the keys from the metadata of that tenant', async () => {
    expect(tenants).toContain(TENANT);
    const { status, body } = await get(app, 'orders', entra.token());
    expect([status, body.issuer]).toEqual([200, `entra:${TENANT}`]);
    expect(entra.requests).toEqual([
      `/${TENANT}/v2.0/.well-known/openid-configuration`,
      `/${TENANT}/discovery/v2.0/keys`,
    ]);
  });

  test('a token of an unknown tenant is refused without a fetch', async () => {
    const fetched = entra.requests.length;
    const token = entra.token({ claims: { iss: issuerOf(STRANGER), tid: STRANGER } });
    expect((await get(app, 'orders', token)).status).toBe(401);
    expect(entra.requests).toHaveLength(fetched);
  });

  test.each([
    ['its tid is not the tenant in its iss', { tid: STRANGER }],
    ['its iss has the placeholder {tenantid}', { iss: '{tenantid}' }],
    ['its iss contains the tenant, but has another host', { iss: `https://example.com/${TENANT}/v2.0` }],
  ])('a token is refused when %s', async (_, { iss, ...claims }: Record<string, string>) => {
    const issuer = iss === '{tenantid}' ? issuerOf(iss) : iss;
    const token = entra.token({ claims: { ...claims, ...(issuer && { iss: issuer }) } });
    expect((await get(app, 'orders', token)).status).toBe(401);
  });
});
