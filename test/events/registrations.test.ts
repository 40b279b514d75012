import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { KmsJwtModule } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, onTestFinished, test } from 'vitest';

test('each registration logs its events under its own name', async () => {
  const written: string[] = [];
  const write = (line: string, ...rest: string[]) => void written.push(`[${rest.at(-1)}] ${line}`);
  onTestFinished(() => Logger.overrideLogger(false));

  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const options = { keyId: 'alias/auth', client: localKms.client() };
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot(options), KmsJwtModule.forRoot({ ...options, name: 'reports' })],
  })
    .setLogger({ log: write, error: write, warn: write })
    .compile();
  await module.init();
  await module.close();

  // Both registrations have the same key, so the lines are equal: neither suppresses that of the other.
  const line = `The key ${localKms.keys[0]?.keyId} is published and verifies tokens`;
  expect(written).toContain(`[KmsJwt] ${line}`);
  expect(written).toContain(`[KmsJwt:reports] ${line}`);
});
