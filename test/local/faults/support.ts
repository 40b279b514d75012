import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import type { LocalKms } from 'nestjs-kms-jwt/local';
import { message } from '../support.js';

/** The input of a successful Sign. */
export const signed = { KeyId: 'alias/auth', SigningAlgorithm: 'ECDSA_SHA_256', Message: message } as const;

/** The ways in which requests reach a LocalKms. */
export const carriers = {
  'in process': async (localKms: LocalKms, config: KMSClientConfig) => {
    return { client: localKms.client(config), close: async () => {} };
  },
  'over HTTP': async (localKms: LocalKms, config: KMSClientConfig) => {
    const server = await localKms.listen();
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const client = new KMSClient({ endpoint: server.url, region: 'us-east-1', credentials, ...config });
    return { client, close: () => server.close() };
  },
};

/** Waits for a condition. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
