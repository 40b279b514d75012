import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { close, jwt, keyId, localKms, restart, setUp } from './kms-jwt.service.support.js';

beforeEach(() => setUp());
afterEach(() => close());

describe('requestAlias', () => {
  test('sends the alias, and signs again with the right kid if another key has signed', async () => {
    await restart({ requestAlias: true });
    const before = await jwt.sign({});

    const command = new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: localKms.keys[1]?.keyId });
    await localKms.client().send(command);
    const after = await Promise.all([jwt.sign({}), jwt.sign({})]);
    for (const token of after) {
      expect(jwt.decode(token, { complete: true }).header.kid).toBe(localKms.keys[1]?.keyId);
      await expect(jwt.verify(token)).resolves.toBeDefined();
    }
    await expect(jwt.verify(before)).resolves.toBeDefined();
  });
});

test('concurrent calls of sign change to the next key when the old one is disabled too early', async () => {
  const { DisableKeyCommand } = await import('@aws-sdk/client-kms');
  await restart({ rotation: { refreshInterval: 1, activationDelay: 3600 } });
  const [old, next] = localKms.keys.map((key) => key.keyId);
  await localKms.client().send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: next }));
  await expect.poll(async () => (await jwt.jwks()).keys.length, { timeout: 5000 }).toBe(2);
  expect(jwt.health().signing).toBe(old);

  await localKms.client().send(new DisableKeyCommand({ KeyId: old }));
  const tokens = await Promise.all(Array.from({ length: 20 }, () => jwt.sign({})));
  expect(new Set(tokens.map((token) => jwt.decode(token, { complete: true }).header.kid))).toEqual(
    new Set([next]),
  );
});

describe('kid', () => {
  test.each<[string, KmsJwtModuleOptions['kid'], () => unknown]>([
    ['is the last part of the ARN by default', undefined, keyId],
    ['is the last part of the ARN for key-id', 'key-id', keyId],
    [
      'is the 43 characters of RFC 7638 for thumbprint',
      'thumbprint',
      () => expect.stringMatching(/^[\w-]{43}$/),
    ],
    [
      'is the result of a function',
      ({ keyArn: arn, jwk }) => `${arn.split(':')[3]}-${jwk.alg}`,
      () => 'us-east-1-ES256',
    ],
  ])('%s, in tokens and in the key set', async (_, kid, expected) => {
    await restart({ kid });
    const token = await jwt.sign({});
    expect(jwt.decode(token, { complete: true }).header.kid).toEqual(expected());
    expect((await jwt.jwks()).keys[0]?.kid).toEqual(expected());
    await expect(jwt.verify(token)).resolves.toBeDefined();
  });

  test('that is not a string stops the app', async () => {
    await expect(restart({ kid: () => '' })).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option: 'kid',
    });
  });
});

describe('jwks', () => {
  test('contains the public key with kid, alg and use, and no private members', async () => {
    expect(await jwt.jwks()).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.any(String),
          y: expect.any(String),
          alg: 'ES256',
          use: 'sig',
          kid: keyId(),
        },
      ],
    });
  });

  test('returns a new object to each caller', async () => {
    const first = await jwt.jwks();
    first.keys.length = 0;
    expect((await jwt.jwks()).keys).toHaveLength(1);
  });
});
