import { join } from 'node:path';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { folder, init, localKms, useKms, withAwsEnvironment } from './kms.js';
import { bash, block, compile, environment } from './support.js';

const { load } = await compile('rotation');
useKms({ alias: 'auth' });

describe('docs/rotation.md', () => {
  test('the runbook moves to a new key and disables the old one; tokens of both verify', async () => {
    const client = localKms.client();
    const rotation = { refreshInterval: 1, activationDelay: 1, retireAfter: 60 };
    const module = await init(KmsJwtModule.forRoot({ keyId: 'alias/auth', client, rotation }) as never);
    const jwt = module.get(KmsJwtService);
    const oldToken = await jwt.sign({ sub: 'user-42' });
    const signingKey = async () => jwt.decode(await jwt.sign({}), { complete: true }).header.kid;

    const old = (await bash(block('aws kms describe-key'))).trim();
    expect(old).toBe(jwt.decode(oldToken, { complete: true }).header.kid);
    await expect.poll(signingKey, { timeout: 10_000 }).not.toBe(old);
    expect((await jwt.jwks()).keys.map(({ kid }) => kid)).toContain(old);

    await bash(block('aws kms disable-key'), environment({ OLD: old }));
    expect(localKms.keys.find(({ keyId }) => keyId === old)?.keyState).toBe('Disabled');
    await expect(jwt.verify(oldToken)).resolves.toMatchObject({ sub: 'user-42' });
    await expect(jwt.verify(await jwt.sign({}))).resolves.toBeDefined();
    await module.close();
  });

  test('a service that only verifies accepts tokens by the published key set', () =>
    withAwsEnvironment(async () => {
      process.env['RING_FILE'] = join(folder, 'ring.json');
      const { RotationModule } = await load('src/recipes/rotation.module.js');
      const issuer = (await init(RotationModule as never)).createNestApplication({ logger: false });
      await issuer.listen(0, '127.0.0.1');
      const url = await issuer.getUrl();
      process.env['JWKS_URI'] = `${url}/.well-known/jwks.json`;
      const { ResourceModule } = await load('src/recipes/resource.module.js');
      const resource = await init(ResourceModule as never);

      const token = await issuer.get(KmsJwtService, { strict: false }).sign({ sub: 'user-42' });
      const verifier = resource.get(KmsJwtService, { strict: false });
      await expect(verifier.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
      await expect(verifier.sign({})).rejects.toMatchObject({ option: 'keyId' });
      const discovery = await fetch(`${url}/.well-known/openid-configuration`);
      expect(await discovery.json()).toMatchObject({
        jwks_uri: 'https://auth.example.com/.well-known/jwks.json',
      });
      await resource.close();
      await issuer.close();
    }));

  test('a Multi-Region key signs, and its tokens verify', () =>
    withAwsEnvironment(async () => {
      // One endpoint serves both Regions, with a key of the ID in the recipe.
      const replicas = new LocalKms({
        region: 'eu-central-1',
        keys: [{ keyId: 'mrk-1234abcd12ab34cd56ef1234567890ab' }],
      });
      const server = await replicas.listen();
      process.env['AWS_ENDPOINT_URL_KMS'] = server.url;
      const { RegionsModule } = await load('src/recipes/regions.module.js');
      const module = await init(RegionsModule as never);
      const jwt = module.get(KmsJwtService, { strict: false });
      await expect(jwt.verify(await jwt.sign({ sub: 's' }))).resolves.toMatchObject({ sub: 's' });
      await module.close();
      await server.close();
    }));
});
