import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PublishedIssuer } from '../support/published-issuer.js';
import { Example, get, login } from './example.js';

const PATH = '/.well-known/jwks.json';

// Shared by all tests that do not change it, because each start takes about a second of CPU time.
const sharedIssuer = new Example('token-service');
const ownIssuer = new Example('token-service');
const resourceServer = new Example('resource-server');
type Running = Awaited<ReturnType<Example['start']>>;
let issuer: Running;

beforeAll(async () => {
  issuer = await sharedIssuer.start();
});
afterEach(async () => {
  await resourceServer.stopAll();
  await ownIssuer.stopAll();
});
afterAll(() => sharedIssuer.stopAll());

const startServer = ({ url }: Running) => resourceServer.start({ JWKS_URI: url + PATH });

describe('with token-service', () => {
  test('prints its URL, the key set that it trusts, and a command to try', async () => {
    const server = await startServer(issuer);
    expect(server.output()).toMatch(/Listening on http:\/\/127\.0\.0\.1:\d+/);
    expect(server.output()).toContain(`Verifying with the key set ${issuer.url}${PATH}`);
    expect(server.output()).toContain(
      `Try: curl -s ${server.url}/orders -H 'authorization: Bearer <access_token>'`,
    );
  });

  test('accepts a token of token-service, and refuses a missing and a changed one', async () => {
    const server = await startServer(issuer);
    const token = (await login(issuer.url)).body.access_token;
    const orders = await get(`${server.url}/orders`, token);
    expect(orders.status).toBe(200);
    expect(await orders.json()).toMatchObject({ issuer: 'own', customer: 'ada' });

    expect((await get(`${server.url}/orders`)).status).toBe(401);
    const [header, payload, signature] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as object;
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
    expect((await get(`${server.url}/orders`, `${header}.${changed}.${signature}`)).status).toBe(401);
  });

  test('follows a new key of token-service, and verifies while token-service is down', async () => {
    const first = await ownIssuer.start();
    const server = await startServer(first);
    first.child.kill('SIGKILL');
    await first.exit;
    // Without KMS_KEY_ID each start has a new key.
    const again = await ownIssuer.start({ PORT: new URL(first.url).port });
    const token = (await login(again.url)).body.access_token;
    expect((await get(`${server.url}/orders`, token)).status).toBe(200);

    again.child.kill('SIGKILL');
    await again.exit;
    expect((await get(`${server.url}/orders`, token)).status).toBe(200);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('exits at once with code 0 on %s', async (signal) => {
    const server = await startServer(issuer);
    await get(`${server.url}/orders`);
    server.child.kill(signal);
    const started = performance.now();
    expect(await server.exit).toBe(0);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('with token-service and a Keycloak realm', () => {
  test('accepts the access tokens of both, and names their issuer', async () => {
    const keycloak = await PublishedIssuer.start('keycloak');
    const realm = `${keycloak.url}/realms/shop`;
    const server = await resourceServer.start({ JWKS_URI: issuer.url + PATH, KEYCLOAK_ISSUER: realm });
    expect(server.output()).toContain(`Verifying tokens of ${realm}, too`);
    const ask = (token: string) => get(`${server.url}/orders`, token);

    const own = await ask((await login(issuer.url)).body.access_token);
    expect(await own.json()).toMatchObject({ issuer: 'own', customer: 'ada' });
    const foreign = await ask(keycloak.token());
    expect(await foreign.json()).toMatchObject({ issuer: 'keycloak' });
    expect((await ask(keycloak.token({ token: 'idToken' }))).status).toBe(401);
    expect((await ask(keycloak.token({ claims: { iss: 'token-service' } }))).status).toBe(401);
    await keycloak.close();
  });

  test('accepts tokens of token-service while Keycloak is down, and answers 503 for those of Keycloak', async () => {
    const keycloak = await PublishedIssuer.start('keycloak');
    const token = keycloak.token();
    const realm = `${keycloak.url}/realms/shop`;
    await keycloak.close();
    const server = await resourceServer.start({ JWKS_URI: issuer.url + PATH, KEYCLOAK_ISSUER: realm });
    const own = (await login(issuer.url)).body.access_token;
    expect((await get(`${server.url}/orders`, own)).status).toBe(200);
    expect((await get(`${server.url}/orders`, token)).status).toBe(503);
  });
});

describe('exits with one line and code 1 for', () => {
  const NOWHERE = `http://127.0.0.1:1${PATH}`;

  test('an unreachable key set', async () => {
    expect(await resourceServer.failure({ JWKS_URI: NOWHERE })).toBe(
      `resource-server: The key set ${NOWHERE} is unavailable: it could not be fetched and read (TypeError). To start while it is down, set lazy: true, or list the issuer in issuers, with a snapshot`,
    );
  });

  test('a key set over plain HTTP', async () => {
    expect(await resourceServer.failure({ JWKS_URI: `http://auth.example.com${PATH}` })).toMatch(
      /jwksUri must be an https URL, or an http URL on loopback/,
    );
  });

  test('a port in use', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    expect(await resourceServer.failure({ JWKS_URI: issuer.url + PATH, PORT: String(port) })).toBe(
      `resource-server: port ${port} is in use: set PORT to another`,
    );
    blocker.close();
  });

  test.each(['abc', '99999', '-1'])('the port %s', async (port) => {
    expect(await resourceServer.failure({ PORT: port })).toBe('resource-server: PORT must be 0 to 65535');
  });
});
