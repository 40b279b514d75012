import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { io } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.js';
import { Example, get, login } from './example.js';

interface ProfileClient {
  Me(
    request: object,
    metadata: Metadata,
    callback: (error: { code: number } | null, reply?: object) => void,
  ): void;
  close(): void;
}

/** The environment in which the example may sign with LocalKms. */
const DEVELOPMENT = { NODE_ENV: 'development' };

const example = new Example('token-service');
const failure = async (env: Record<string, string>) =>
  example.failure({ GRPC_PORT: String(await freePort()), ...env });

async function start(env: Record<string, string> = {}) {
  const grpcPort = String(await freePort());
  return { ...(await example.start({ GRPC_PORT: grpcPort, ...env })), grpcPort };
}

afterEach(() => example.stopAll());

describe('without any configuration', () => {
  // Shared by all tests that do not change it, because each start takes about a second of CPU time.
  const shared = new Example('token-service');
  let service: Awaited<ReturnType<Example['start']>>;
  let url: string;
  let grpcPort: string;

  beforeAll(async () => {
    grpcPort = String(await freePort());
    service = await shared.start({ GRPC_PORT: grpcPort });
    ({ url } = service);
  });
  afterAll(() => shared.stopAll());

  test('prints that it runs on LocalKms, its URL, its signing key, and a command to try', async () => {
    const { output, errors } = service;
    expect(output() + errors()).toMatch(/LocalKms.*development only/);
    expect(output()).toMatch(/Listening on http:\/\/127\.0\.0\.1:\d+/);
    expect(output()).toMatch(/Signing ES256 with the key [0-9a-f-]{36}/);
    expect(output()).toContain(`Try: curl -s ${url}/auth/login`);
  });

  test('/me accepts a token of the login, and refuses a missing and a changed one', async () => {
    const { status: loginStatus, body } = await login(url);
    expect(loginStatus).toBe(200);

    const me = await get(`${url}/me`, body.access_token);
    expect(me.status).toBe(200);
    expect(await me.json()).toMatchObject({ sub: 'ada', roles: ['user', 'admin'], iss: 'token-service' });

    expect((await get(`${url}/me`)).status).toBe(401);
    const [header, payload, signature] = body.access_token.split('.');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as object;
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
    expect((await get(`${url}/me`, `${header}.${changed}.${signature}`)).status).toBe(401);
  });

  test('the admin route needs the role, the public one no token, and a wrong password is refused', async () => {
    const ada = await login(url);
    const bob = await login(url, 'bob', 'builder');
    expect((await get(`${url}/admin`, ada.body.access_token)).status).toBe(200);
    expect((await get(`${url}/admin`, bob.body.access_token)).status).toBe(403);
    expect((await get(`${url}/admin`)).status).toBe(401);
    expect((await get(`${url}/health`)).status).toBe(200);
    expect((await login(url, 'ada', 'guess')).status).toBe(401);
    expect((await fetch(`${url}/auth/login`, { method: 'POST' })).status).toBe(401);
  });

  describe('the same token is accepted, and a missing one refused, by', () => {
    test('a GraphQL query', async () => {
      const query = (token?: string) =>
        fetch(`${url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
          body: JSON.stringify({ query: '{ me { name roles } }' }),
        }).then((response) => response.json());
      const { body } = await login(url);
      expect(await query(body.access_token)).toEqual({
        data: { me: { name: 'ada', roles: ['user', 'admin'] } },
      });
      expect(await query()).toMatchObject({
        errors: [{ extensions: { code: 'UNAUTHENTICATED', errorCode: 'token_missing' } }],
      });
    });

    test('a socket.io gateway', async () => {
      const { body } = await login(url);
      const socket = io(url, { auth: { token: body.access_token }, forceNew: true });
      socket.emit('me');
      expect(await new Promise((resolve) => socket.once('me', resolve))).toEqual({ name: 'ada' });
      socket.disconnect();

      const stranger = io(url, { forceNew: true, reconnection: false });
      expect(await new Promise((resolve) => stranger.once('exception', resolve))).toMatchObject({
        errorCode: 'token_missing',
      });
      await new Promise((resolve) =>
        stranger.connected ? stranger.once('disconnect', resolve) : resolve(undefined),
      );
    });

    test('a gRPC method', async () => {
      const { body } = await login(url);
      const file = fileURLToPath(new URL('../../examples/token-service/src/profile.proto', import.meta.url));
      const { profile } = loadPackageDefinition(loadSync(file)) as unknown as {
        profile: { ProfileService: new (address: string, credentials: unknown) => ProfileClient };
      };
      const client = new profile.ProfileService(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
      const me = (token?: string) =>
        new Promise((resolve) => {
          const metadata = new Metadata();
          if (token) metadata.set('authorization', `Bearer ${token}`);
          client.Me({}, metadata, (error, reply) => resolve(error ? { code: error.code } : reply));
        });
      expect(await me(body.access_token)).toEqual({ name: 'ada' });
      expect(await me()).toEqual({ code: status.UNAUTHENTICATED });
      client.close();
    });
  });
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  'exits at once with code 0 on %s, even with open connections',
  async (signal) => {
    const { child, exit, url } = await start();
    await login(url);
    child.kill(signal);
    const started = performance.now();
    expect(await exit).toBe(0);
    expect(performance.now() - started).toBeLessThan(2000);
  },
);

test('signs with a LocalKms over HTTP, given an endpoint, a key and dummy credentials', async () => {
  const localKms = new LocalKms({ keys: [{ alias: 'elsewhere' }] });
  const server = await localKms.listen();
  try {
    const { url, output } = await start({
      AWS_ENDPOINT_URL_KMS: server.url,
      KMS_KEY_ID: 'alias/elsewhere',
      AWS_ACCESS_KEY_ID: 'dummy',
      AWS_SECRET_ACCESS_KEY: 'dummy',
    });
    const { body } = await login(url);
    expect((await get(`${url}/me`, body.access_token)).status).toBe(200);
    expect(output()).toContain(`Signing ES256 with the key ${localKms.keys[0]?.keyId}`);
    expect(output()).not.toContain('development only');
    expect(localKms.calls).toMatchObject({ GetPublicKey: 1, Sign: 1 });

    localKms.inject({ kind: 'error', name: 'AccessDeniedException' });
    const refused = await login(url);
    expect(refused).toMatchObject({ status: 503, body: { errorCode: 'kms_access_denied' } });
    expect((await get(`${url}/me`, body.access_token)).status).toBe(200);
  } finally {
    await server.close();
  }
});

test.each([
  ['DIGEST', {}],
  ['RAW', { KMS_MESSAGE_TYPE: 'RAW' }],
])('sends %s to KMS with the environment %j', async (messageType, env) => {
  const sent: unknown[] = [];
  const server = await new LocalKms({ keys: [{ alias: 'elsewhere' }] }).listen();
  const recorder = createHttpServer((incoming, response) => {
    void text(incoming).then(async (body) => {
      sent.push((JSON.parse(body) as { MessageType?: string }).MessageType);
      const { 'x-amz-target': target, 'content-type': type } = incoming.headers as Record<string, string>;
      const headers = { 'x-amz-target': target ?? '', 'content-type': type ?? '' };
      const answer = await fetch(server.url, { method: 'POST', headers, body });
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(await answer.text());
    });
  }).listen(0, '127.0.0.1');
  await once(recorder, 'listening');
  try {
    const { url } = await start({
      AWS_ENDPOINT_URL_KMS: `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`,
      KMS_KEY_ID: 'alias/elsewhere',
      AWS_ACCESS_KEY_ID: 'dummy',
      AWS_SECRET_ACCESS_KEY: 'dummy',
      ...env,
    });
    const { body } = await login(url);
    expect((await get(`${url}/me`, body.access_token)).status).toBe(200);
    // GetPublicKey has no message.
    expect(sent).toEqual([undefined, messageType]);
  } finally {
    recorder.closeAllConnections();
    recorder.close();
    await server.close();
  }
});

describe('exits with one line and code 1 for', () => {
  test('a port in use', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    expect(await failure({ ...DEVELOPMENT, PORT: String(port) })).toBe(
      `token-service: port ${port} is in use: set PORT to another`,
    );
    blocker.close();
  });

  test.each(['abc', '99999', '-1'])('the port %s', async (port) => {
    expect(await failure({ PORT: port })).toBe('token-service: PORT must be 0 to 65535');
  });

  test.each(['raw', 'SHA-256'])('the message type %s', async (messageType) => {
    expect(await failure({ ...DEVELOPMENT, KMS_MESSAGE_TYPE: messageType })).toBe(
      'token-service: KMS_MESSAGE_TYPE must be DIGEST or RAW',
    );
  });

  test('a key that does not exist', async () => {
    const server = await new LocalKms().listen();
    const dummies = { AWS_ACCESS_KEY_ID: 'dummy', AWS_SECRET_ACCESS_KEY: 'dummy' };
    const line = await failure({
      AWS_ENDPOINT_URL_KMS: server.url,
      KMS_KEY_ID: 'alias/none',
      ...dummies,
    });
    expect(line).toMatch(/alias\/none.*no such key or alias/);
    await server.close();
  });

  test('an emulator without a key', async () => {
    expect(await failure({ AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:1' })).toMatch(/KMS_KEY_ID is missing/);
  });

  test('no credentials', async () => {
    expect(await failure({ KMS_KEY_ID: 'alias/auth', AWS_REGION: 'eu-central-1' })).toMatch(
      /credentials .* are missing or not valid/,
    );
  });

  test('no region', async () => {
    expect(await failure({ KMS_KEY_ID: 'alias/auth' })).toMatch(/AWS_REGION/);
  });

  test('an unreachable endpoint', async () => {
    const dummies = { AWS_ACCESS_KEY_ID: 'dummy', AWS_SECRET_ACCESS_KEY: 'dummy' };
    const line = await failure({
      AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:1',
      KMS_KEY_ID: 'alias/auth',
      ...dummies,
    });
    expect(line).toMatch(/KMS could not be reached.*ECONNREFUSED/);
  });

  test('production without a key', async () => {
    expect(await failure({ NODE_ENV: 'production' })).toMatch(/LocalKms.*production/);
  });

  test.each<Record<string, string>>([
    {},
    { NODE_ENV: 'Production' },
    { NODE_ENV: 'staging' },
    { NODE_ENV: '' },
  ])('no key outside of development: %j', async (env) => {
    expect(await failure(env)).toMatch(/KMS_KEY_ID is missing.*NODE_ENV=development/);
  });
});
