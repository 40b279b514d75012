import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type GatewaySettings, openGateway } from '../../src/kms/open-gateway.js';

const CREDENTIALS = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials>
    <AccessKeyId>AKIDEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>
    <Expiration>2100-01-01T00:00:00Z</Expiration>
  </Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`;

/** The environment of a pod with IRSA, whose STS answers as the listener does. */
async function podWith(sts: RequestListener): Promise<void> {
  const server = createServer(sts).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'irsa-'));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'web-identity-token');
  vi.stubEnv('AWS_ENDPOINT_URL_STS', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::000000000000:role/signer');
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', tokenFile);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']) {
    vi.stubEnv(name, undefined);
  }
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
    server.closeAllConnections();
    server.close();
  });
}

test('credentials come back after an STS that did not answer once', async () => {
  let requests = 0;
  let isSilent = true;
  await podWith((_, response) => {
    requests += 1;
    if (!isSilent) response.writeHead(200, { 'content-type': 'text/xml' }).end(CREDENTIALS);
  });
  const kms = await new LocalKms({ keys: [{ alias: 'auth' }] }).listen();
  onTestFinished(() => kms.close());
  const limits = { timeout: 300, maxConcurrency: 10, maxQueue: 10 };
  const settings: GatewaySettings = {
    keyId: 'alias/auth',
    client: { endpoint: kms.url },
    regions: [],
    limits,
  };
  const gateway = openGateway(settings, () => {});
  onTestFinished(() => gateway.close());

  await expect(gateway.getPublicKey('alias/auth')).rejects.toMatchObject({ code: 'kms_unavailable' });
  expect(requests).toBeGreaterThan(0);
  isSilent = false;
  const recovered = () => gateway.getPublicKey('alias/auth').then(({ keyArn }) => keyArn);
  await expect
    .poll(() => recovered().catch(() => ''), { timeout: 5000, interval: 100 })
    .toContain('arn:aws:kms');
});
