import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Test } from '@nestjs/testing';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, test } from 'vitest';

test('verification works without the AWS SDK', async () => {
  const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client();
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client })],
  }).compile();
  const issuer = module.get(KmsJwtService);
  const server = createServer((_, response) => {
    void issuer.jwks().then((keySet) => response.end(JSON.stringify(keySet)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;

  const script = fileURLToPath(new URL('verify-without-sdk.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    script,
    jwksUri,
    await issuer.sign({ sub: 'user-42' }),
  ]);
  expect(stdout).toBe('verified user-42; @aws-sdk/client-kms: ERR_MODULE_NOT_FOUND\n');
  server.close();
  await module.close();
});
