import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KMSClient } from '@aws-sdk/client-kms';
import { onTestFinished } from 'vitest';
import type { KmsGateway, KmsVerifyRequest } from '../../src/kms/kms-gateway.js';
import { request } from './support.js';

/** A request to verify a signature that the gateway has just made. */
export async function signedRequest(
  gateway: Pick<KmsGateway, 'sign'>,
  keyId = request.keyId,
): Promise<KmsVerifyRequest> {
  const { keyArn, signature } = await gateway.sign({ ...request, keyId });
  return { ...request, keyId: keyArn, signature };
}

/** The same request for another message: the signature is well-formed and invalid. */
export const forged = (valid: KmsVerifyRequest): KmsVerifyRequest => ({
  ...valid,
  message: new Uint8Array(32),
});

/** A client of a KMS that answers every request like this. */
export async function clientOfServer(status: number, body: unknown): Promise<KMSClient> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const server = createServer((_, response) => response.writeHead(status).end(text));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = new KMSClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
    maxAttempts: 1,
  });
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  return client;
}
