import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { KmsJwtGuard, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { init, localKms, useKms, withAwsEnvironment } from './kms.js';
import { load } from './load.js';

useKms({ alias: 'auth' }, { alias: 'internal' });

describe('docs/recipes.md', () => {
  test('revoked tokens: a token whose jti is in the set is refused', () =>
    withAwsEnvironment(async () => {
      const { RevocationModule, revokedIds } = await load('src/recipes/revocation.module.js');
      const module = await init(RevocationModule as never);
      const jwt = module.get(KmsJwtService, { strict: false });
      const token = await jwt.sign({}, { jwtid: 'one' });
      await expect(jwt.verify(token)).resolves.toMatchObject({ jti: 'one' });
      (revokedIds as unknown as Set<string>).add('one');
      await expect(jwt.verify(token)).rejects.toMatchObject({ code: 'token_revoked' });
      await module.close();
    }));

  test('configuration from another module: the service signs', () =>
    withAwsEnvironment(async () => {
      const { AsyncModule } = await load('src/recipes/async.module.js');
      const module = await init(AsyncModule as never);
      await expect(module.get(KmsJwtService, { strict: false }).sign({})).resolves.toEqual(
        expect.any(String),
      );
      await module.close();
    }));

  test('typed claims and refresh tokens: each refuses tokens of another kind', async () => {
    const typed = await load('src/recipes/typed-claims.js');
    const refresh = await load('src/recipes/refresh-token.js');
    const client = localKms.client();
    const module = await init(KmsJwtModule.forRoot({ keyId: 'alias/auth', client }) as never);
    const jwt = module.get(KmsJwtService);
    const call = (run: unknown, ...args: unknown[]) =>
      (run as (...given: unknown[]) => Promise<unknown>)(jwt, ...args);

    const tenant = '0b7a3e0c-5d4f-4f0b-9d59-8a1f6b0f9a01';
    expect(await call(typed['tenantOf'], await jwt.sign({ sub: 's', tenant }, { expiresIn: 60 }))).toBe(
      tenant,
    );
    const wrong = jwt.sign({ sub: 's', tenant: 'no uuid' }, { expiresIn: 60 });
    await expect(call(typed['tenantOf'], await wrong)).rejects.toMatchObject({ claim: 'tenant' });

    const refreshToken = (await call(refresh['issueRefreshToken'], 'user-42')) as string;
    expect(await call(refresh['readRefreshToken'], refreshToken)).toMatchObject({ sub: 'user-42' });
    await expect(jwt.verify(refreshToken)).rejects.toMatchObject({ name: 'TokenMalformedError' });
    await expect(call(refresh['readRefreshToken'], await jwt.sign({}))).rejects.toMatchObject({
      code: expect.stringMatching(/^token_/),
    });
    await module.close();
  });

  test('verification with KMS: only POST calls Verify', async () => {
    const { TransfersController } = await load('src/recipes/transfers.controller.js');
    @Module({
      imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() })],
      controllers: [TransfersController as never],
      providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }],
    })
    class TransfersModule {}
    const app = (await init(TransfersModule as never)).createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/transfers`;
    const token = await app.get(KmsJwtService, { strict: false }).sign({ sub: 'user-42' });
    const ask = async (method: string) => {
      const response = await fetch(url, { method, headers: { authorization: `Bearer ${token}` } });
      return [response.status, await response.json(), localKms.calls.Verify];
    };
    expect(await ask('GET')).toEqual([200, { of: 'user-42' }, 0]);
    expect(await ask('POST')).toEqual([201, { from: 'user-42' }, 1]);
    await app.close();
  });

  test('several keys in one app: the internal route accepts a token of its own key', () =>
    withAwsEnvironment(async () => {
      const { NamedModule } = await load('src/recipes/named.module.js');

      const named = (await init(NamedModule as never)).createNestApplication({ logger: false });
      await named.listen(0, '127.0.0.1');
      const internal = `${await named.getUrl()}/internal`;
      const token = await (await fetch(`${internal}/token`)).text();
      expect((await fetch(`${internal}/report`)).status).toBe(401);
      const report = await fetch(`${internal}/report`, { headers: { authorization: `Bearer ${token}` } });
      expect(await report.json()).toEqual({ ok: true });
      await named.close();
    }));
});
