import type { KMSClientConfig } from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, onTestFinished } from 'vitest';
import { type GatewaySettings, openGateway } from '../../src/kms/open-gateway.js';

export const GOOD = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
export const LIMITS = { timeout: 500, maxConcurrency: 10, maxQueue: 10 };

/** A gateway with a client that the library creates, a LocalKms over HTTP, and a clock that the test controls. */
export async function gatewayWith(client: KMSClientConfig, settings: Partial<GatewaySettings> = {}) {
  const kms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const server = await kms.listen();
  let now = 0;
  const gateway = openGateway(
    {
      keyId: 'alias/auth',
      client: { endpoint: server.url, region: 'us-east-1', ...client },
      regions: [],
      limits: LIMITS,
      ...settings,
    },
    () => {},
    () => now,
  );
  onTestFinished(async () => {
    await gateway.close();
    await server.close();
  });
  return {
    kms,
    url: server.url,
    gateway,
    call: () => gateway.getPublicKey('alias/auth'),
    advance: (milliseconds: number) => void (now += milliseconds),
  };
}

/** The error of a call that timed out before the SDK had credentials. */
export const UNSENT = {
  name: 'KmsUnavailableError',
  reason: 'timeout',
  message: expect.stringMatching(/^No request was sent for GetPublicKey .* within 500 ms: .*credentials/),
};
