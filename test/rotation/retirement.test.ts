import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { Test } from '@nestjs/testing';
import { KmsJwtModule, type StoredRing } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, test } from 'vitest';

const WEEK = 7 * 86_400_000;

test('an instance that has signed nothing keeps the old key for as long as the tokens of the others live', async () => {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'next' }] });
  let stored: StoredRing | undefined;
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({
        keyId: 'alias/auth',
        client: localKms.client(),
        signOptions: { expiresIn: '7d' },
        rotation: {
          refreshInterval: 1,
          activationDelay: 0,
          store: { load: async () => undefined, save: async (ring) => void (stored = ring) },
        },
      }),
    ],
  }).compile();
  await module.init();
  const started = Date.now();
  await localKms
    .client()
    .send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: localKms.keys[1]?.keyId }));
  await expect.poll(() => stored?.retired[0]?.jwk.kid, { timeout: 5000 }).toBe(localKms.keys[0]?.keyId);
  expect(stored?.retired[0]?.retiresAt).toBeGreaterThan(started + WEEK);
  await module.close();
});
