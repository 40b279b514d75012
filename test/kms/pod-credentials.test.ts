import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KMSClientConfig } from '@aws-sdk/client-kms';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { gatewayWith, LIMITS, UNSENT } from './credentials.support.js';

const CREDENTIALS = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials>
    <AccessKeyId>AKIDEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>
    <Expiration>2100-01-01T00:00:00Z</Expiration>
  </Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`;

/** The environment of a pod with IRSA, with this listener as STS. */
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

describe('the credentials of a pod', () => {
  test.each<[string, KMSClientConfig]>([
    ['the client of the library', {}],
    ['options for its request handler', { requestHandler: { connectionTimeout: 1000 } }],
  ])('recover from an STS that once did not answer: %s', async (_, config) => {
    let requests = 0;
    let isSilent = true;
    await podWith((__, response) => {
      requests += 1;
      if (!isSilent) response.writeHead(200, { 'content-type': 'text/xml' }).end(CREDENTIALS);
    });
    // The clock stands still, so the client is not replaced.
    const { call } = await gatewayWith(config);
    await expect(call()).rejects.toMatchObject(UNSENT);
    expect(requests).toBeGreaterThan(0);
    isSilent = false;
    const recovered = () => call().then(({ keyArn }) => keyArn);
    await expect
      .poll(() => recovered().catch(() => ''), { timeout: 5000, interval: 100 })
      .toContain('arn:aws:kms');
  });

  test('leave no connection open when STS stops in the middle of its answers', async () => {
    const open = new Set<ServerResponse>();
    let isStuck = true;
    await podWith((_, response) => {
      open.add(response.on('close', () => open.delete(response)));
      response.writeHead(200, { 'content-type': 'text/xml' });
      if (isStuck) response.write(CREDENTIALS.slice(0, 50));
      else response.end(CREDENTIALS);
    });
    const { call, advance } = await gatewayWith({}, { limits: { ...LIMITS, timeout: 200 } });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(call()).rejects.toMatchObject({ name: 'KmsUnavailableError' });
      advance(10_000);
    }
    isStuck = false;
    const recovered = () => call().then(({ keyArn }) => keyArn);
    await expect
      .poll(() => recovered().catch(() => ''), { timeout: 5000, interval: 100 })
      .toContain('arn:aws:kms');
    await expect.poll(() => open.size, { timeout: 10_000 }).toBe(0);
  });

  test('are reported as missing when STS refuses them, not as a missing permission for the key', async () => {
    await podWith((_, response) => {
      response.writeHead(403, { 'content-type': 'text/xml' });
      response.end(
        '<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>',
      );
    });
    const { call } = await gatewayWith({});
    await expect(call()).rejects.toMatchObject({
      name: 'KmsAccessDeniedError',
      message: expect.stringMatching(
        /^The AWS credentials for GetPublicKey .* are missing or not valid \(AccessDenied\)/,
      ),
    });
  });
});

test.skipIf(process.platform === 'win32')(
  'a credential_process that hangs once is started again',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'profile-'));
    const config = join(folder, 'config');
    const pidFile = join(folder, 'pid');
    const program = join(folder, 'program.sh');
    const output = JSON.stringify({ Version: 1, AccessKeyId: 'AKIDEXAMPLE', SecretAccessKey: 'secret' });
    writeFileSync(
      program,
      `[ -e ${pidFile} ] && echo '${output}' && exit\necho $$ > ${pidFile}\nexec sleep 60\n`,
    );
    writeFileSync(config, `[profile slow]\ncredential_process = sh ${program}\n`);
    vi.stubEnv('AWS_CONFIG_FILE', config);
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'none'));
    vi.stubEnv('AWS_PROFILE', 'slow');
    onTestFinished(() => {
      vi.unstubAllEnvs();
      process.kill(Number(readFileSync(pidFile, 'utf8')));
      rmSync(folder, { recursive: true });
    });
    const { call, advance } = await gatewayWith({});
    await expect(call()).rejects.toMatchObject(UNSENT);
    advance(10_000);
    await expect(call()).resolves.toBeDefined();
  },
);
