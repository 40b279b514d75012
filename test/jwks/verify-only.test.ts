import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { Test, type TestingModule } from '@nestjs/testing';
import { KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forge, newKeyPair } from '../support/forge.js';

let localKms: LocalKms;
let issuer: KmsJwtService;
let server: Server;
let jwksUri: string;
let isDown: boolean;
let requests: number;
const modules: TestingModule[] = [];

async function start(options: KmsJwtModuleOptions): Promise<KmsJwtService> {
  const module = await Test.createTestingModule({ imports: [KmsJwtModule.forRoot(options)] }).compile();
  modules.push(module);
  await module.init();
  return module.get(KmsJwtService);
}

beforeEach(async () => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'next' }] });
  issuer = await start({
    keyId: 'alias/auth',
    client: localKms.client(),
    rotation: { refreshInterval: 1, activationDelay: 0 },
  });
  [isDown, requests] = [false, 0];
  server = createServer((_, response) => {
    requests += 1;
    if (isDown) response.destroy();
    else void issuer.jwks().then((keySet) => response.end(JSON.stringify(keySet)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
});
afterEach(async () => {
  await Promise.all(modules.splice(0).map((module) => module.close()));
  server.closeAllConnections();
  server.close();
});

const currentKid = async () => issuer.decode(await issuer.sign({}), { complete: true }).header.kid;

async function rotate(): Promise<void> {
  await localKms
    .client()
    .send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: localKms.keys[1]?.keyId }));
  await expect.poll(currentKid, { timeout: 5000 }).toBe(localKms.keys[1]?.keyId);
}

describe.each(['jwksUri', 'jwks'] as const)('with %s', (source) => {
  const options = async () => (source === 'jwks' ? { jwks: await issuer.jwks() } : { jwksUri });

  test('verifies tokens of the issuer, and no others', async () => {
    const jwt = await start(await options());
    expect(await jwt.verify(await issuer.sign({ sub: 'user-42' }))).toMatchObject({ sub: 'user-42' });
    const header = { alg: 'ES256', kid: localKms.keys[0]?.keyId };
    await expect(jwt.verify(forge(header, {}, newKeyPair().privateKey))).rejects.toMatchObject({
      name: 'TokenSignatureError',
    });
  });

  test('publishes the keys of the issuer', async () => {
    const jwt = await start(await options());
    expect(await jwt.jwks()).toEqual(await issuer.jwks());
  });

  test('neither accepts nor publishes a distrusted key', async () => {
    const distrustedKeys = [localKms.keys[0]?.keyId ?? ''];
    const jwt = await start({ ...(await options()), rotation: { distrustedKeys } });
    await expect(jwt.verify(await issuer.sign({}))).rejects.toMatchObject({ name: 'TokenKeyUnknownError' });
    expect(await jwt.jwks()).toEqual({ keys: [] });
  });

  test('does not sign', async () => {
    const jwt = await start(await options());
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsJwtOptionsError', option: 'keyId' });
  });

  test('refuses options that are only for signing', async () => {
    await expect(start({ ...(await options()), signOptions: {} })).rejects.toMatchObject({
      option: 'signOptions',
    });
  });
});

test('a key set given as a value is never fetched', async () => {
  const jwt = await start({ jwks: await issuer.jwks() });
  await rotate();
  await expect(jwt.verify(await issuer.sign({}))).rejects.toMatchObject({ name: 'TokenKeyUnknownError' });
  expect(requests).toBe(0);
});

describe('the key set of the issuer', () => {
  test('is fetched once for any number of tokens', async () => {
    const jwt = await start({ jwksUri });
    for (let count = 0; count < 20; count += 1) await jwt.verify(await issuer.sign({}));
    expect(requests).toBe(1);
  });

  test('is fetched once more for an unknown kid after a rotation', async () => {
    const jwt = await start({ jwksUri });
    const before = await issuer.sign({});
    await jwt.verify(before);
    await rotate();
    const tokens = await Promise.all([issuer.sign({}), issuer.sign({}), issuer.sign({})]);
    await Promise.all(tokens.map((token) => jwt.verify(token)));
    await jwt.verify(before);
    expect(requests).toBe(2);
  });

  test('may become unavailable: known keys verify, and an unknown kid is a JwksUnavailableError', async () => {
    const jwt = await start({ jwksUri });
    const events: string[] = [];
    jwt.events.subscribe(({ type }) => events.push(type));
    isDown = true;
    await jwt.verify(await issuer.sign({}));
    await rotate();
    await expect(jwt.verify(await issuer.sign({}))).rejects.toMatchObject({
      name: 'JwksUnavailableError',
      retryable: true,
    });
    expect(events).toEqual(['refresh_failed']);
    expect((await jwt.jwks()).keys).toHaveLength(1);
  });

  test('must be available at start, except with lazy', async () => {
    isDown = true;
    await expect(start({ jwksUri })).rejects.toMatchObject({ name: 'JwksUnavailableError' });
    const jwt = await start({ jwksUri, lazy: true });
    const token = await issuer.sign({});
    await expect(jwt.verify(token)).rejects.toMatchObject({ name: 'JwksUnavailableError' });
    isDown = false;
    await expect.poll(() => jwt.verify(token), { timeout: 3000 }).toBeDefined();
  });

  test.each(['http://auth.example.com/jwks.json', 'ftp://127.0.0.1/jwks.json', 'jwks.json', ''])(
    'cannot have the URL %j',
    async (uri) => {
      await expect(start({ jwksUri: uri })).rejects.toMatchObject({ option: 'jwksUri' });
    },
  );
});
