import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { type CanActivate, Controller, Get, type INestApplication, type Type } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  KmsJwtModule,
  type KmsJwtModuleExtras,
  type KmsJwtModuleOptions,
  KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newKeyPair } from '../support/forge.js';

class NobodyGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller()
class GreedyController {
  @Get('*') anything() {
    return 'caught';
  }
}

const ADAPTERS = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};
const PATH = '/.well-known/jwks.json';
const DISCOVERY = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'];

let localKms: LocalKms;
let app: INestApplication | undefined;
let url: string;

beforeEach(() => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'next' }] });
});
afterEach(async () => {
  await app?.close();
  app = undefined;
});

type Options = Partial<KmsJwtModuleOptions & KmsJwtModuleExtras> & { controllers?: Type[] };

async function create(adapter: keyof typeof ADAPTERS, { controllers = [], ...options }: Options) {
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({
        keyId: 'alias/auth',
        client: localKms.client({ maxAttempts: 1 }),
        jwksPath: '.well-known/jwks.json',
        ...options,
      }),
    ],
    controllers,
    providers: [{ provide: APP_GUARD, useClass: NobodyGuard }],
  }).compile();
  return module.createNestApplication(ADAPTERS[adapter](), { logger: false }).setGlobalPrefix('api');
}

async function start(adapter: keyof typeof ADAPTERS, options: Options = {}): Promise<void> {
  app = await create(adapter, options);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
}
const get = (path: string, init?: RequestInit) => fetch(url + path, init);
const keysAt = async (path: string) => ((await (await get(path)).json()) as { keys: Key[] }).keys;
const kidsPublished = async () => (await keysAt(PATH)).map((key) => key['kid']);
const kid = (index: number) => localKms.keys[index]?.keyId;
type Key = Record<string, unknown>;

describe.each(['Express', 'Fastify'] as const)('on %s', (adapter) => {
  test('the key set is public, despite a global guard and a global prefix', async () => {
    await start(adapter, { controllers: [GreedyController] });
    expect((await get('/api/anything')).status).toBe(403);
    const response = await get(PATH);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json\b/);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('cache-control')).toBe('public, max-age=300, stale-while-revalidate=60');
    expect(await response.json()).toEqual(await app?.get(KmsJwtService).jwks());
  });

  test('each key has kid, alg and use, and no private member', async () => {
    await start(adapter);
    const members = { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid: kid(0) };
    const coordinate = expect.stringMatching(/^[\w-]{43}$/);
    expect(await keysAt(PATH)).toEqual([{ ...members, x: coordinate, y: coordinate }]);
  });

  test('next, active and retired keys are published', async () => {
    await start(adapter, { rotation: { refreshInterval: 1, activationDelay: 1, retireAfter: 60 } });
    await localKms
      .client()
      .send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: localKms.keys[1]?.keyId }));
    await expect.poll(kidsPublished, { timeout: 5000 }).toEqual([kid(0), kid(1)]);
    await expect.poll(kidsPublished, { timeout: 5000 }).toEqual([kid(1), kid(0)]);
    for (const { kty, crv, x, y, kid: name, alg, use, ...rest } of await keysAt(PATH)) {
      expect([kty, crv, alg, use]).toEqual(['EC', 'P-256', 'ES256', 'sig']);
      expect([x, y, name].every((member) => typeof member === 'string')).toBe(true);
      expect(rest).toEqual({});
    }
  });

  test('a client that has the current key set gets 304', async () => {
    await start(adapter);
    const etag = (await get(PATH)).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{43}"$/);

    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await get(PATH, { headers: { 'if-none-match': header } });
      expect([header, response.status]).toEqual([header, 304]);
      expect(response.headers.get('etag')).toBe(etag);
      expect(response.headers.get('cache-control')).toMatch(/max-age=300/);
      expect(await response.text()).toBe('');
    }
    expect((await get(PATH, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);

    await app?.close();
    const jwk = { ...newKeyPair().publicKey.export({ format: 'jwk' }), kid: 'further' };
    await start(adapter, { rotation: { verificationKeys: [jwk as never] } });
    const changed = await get(PATH, { headers: { 'if-none-match': etag } });
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).not.toBe(etag);
  });

  test('HEAD has the headers of GET, and no body', async () => {
    await start(adapter);
    const [head, whole] = await Promise.all([get(PATH, { method: 'HEAD' }), get(PATH)]);
    expect(head.status).toBe(200);
    for (const name of [
      'content-type',
      'content-length',
      'cache-control',
      'etag',
      'access-control-allow-origin',
    ])
      expect([name, head.headers.get(name)]).toEqual([name, whole.headers.get(name)]);
    expect(await head.text()).toBe('');
    const etag = whole.headers.get('etag') ?? '';
    expect((await get(PATH, { method: 'HEAD', headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  test('POST is a 404', async () => {
    await start(adapter);
    expect((await get(PATH, { method: 'POST' })).status).toBe(404);
  });

  test('a catch-all route of the app does not replace it', async () => {
    app = (await create(adapter, { controllers: [GreedyController] })).setGlobalPrefix('');
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    expect((await get('/anything')).status).toBe(403);
    expect((await get(PATH)).status).toBe(200);
  });

  test('answers 503 with no-store until the first fetch succeeds', async () => {
    const outage = localKms.inject({ kind: 'throttle' });
    await start(adapter, { lazy: true });
    const response = await get(PATH);
    expect(response.status).toBe(503);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toEqual({
      statusCode: 503,
      message: 'Service Unavailable',
      error: 'Service Unavailable',
      errorCode: 'kms_unavailable',
    });
    outage.stop();
    await expect.poll(async () => (await get(PATH)).status).toBe(200);
  });

  test('the discovery documents have the issuer, the URL of the key set and the algorithms', async () => {
    const issuer = 'https://auth.example.com';
    await start(adapter, { discovery: true, signOptions: { issuer } });
    for (const path of DISCOVERY) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('etag')).toMatch(/^"/);
      expect(await response.json()).toMatchObject({
        issuer,
        jwks_uri: 'https://auth.example.com/.well-known/jwks.json',
        id_token_signing_alg_values_supported: ['ES256'],
      });
    }
  });

  test('answers 404 for the discovery documents without discovery', async () => {
    await start(adapter);
    for (const path of DISCOVERY) expect((await get(path)).status).toBe(404);
  });
});

test('answers 404 without jwksPath', async () => {
  await start('Express', { jwksPath: undefined });
  expect((await get(PATH)).status).toBe(404);
});

test('jwksPath may begin with a slash', async () => {
  await start('Express', { jwksPath: '/keys' });
  expect(await keysAt('/keys')).toHaveLength(1);
});

test('jwksPath has no effect in an app without an HTTP server', async () => {
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({
        keyId: 'alias/auth',
        client: localKms.client(),
        jwksPath: '.well-known/jwks.json',
      }),
    ],
  }).compile();
  await expect(module.init()).resolves.toBeDefined();
  await module.close();
});

describe('an app does not start with', () => {
  test.each<[string, Options, string]>([
    ['a path that is a pattern', { jwksPath: 'keys/:id' }, 'jwksPath'],
    ['an empty path', { jwksPath: '' }, 'jwksPath'],
    ['a number as the path', { jwksPath: 1 as never }, 'jwksPath'],
    ['discovery that is neither true nor false', { discovery: 'yes' as never }, 'discovery'],
    ['discovery without a path', { discovery: true, jwksPath: undefined }, 'discovery'],
  ])('%s: the import of the module throws', async (_, options, option) => {
    await expect(create('Express', options)).rejects.toMatchObject({ name: 'KmsJwtOptionsError', option });
  });

  test.each([undefined, 'auth', 'urn:example:auth'])('discovery and the issuer %s', async (issuer) => {
    const starting = start('Express', { discovery: true, signOptions: issuer ? { issuer } : {} });
    await expect(starting).rejects.toMatchObject({ name: 'KmsJwtOptionsError', option: 'discovery' });
  });
});
