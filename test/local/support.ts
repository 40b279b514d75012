import { createHash, createPublicKey, verify } from 'node:crypto';
import { GetPublicKeyCommand, type KMSClient, type KMSServiceException } from '@aws-sdk/client-kms';

export const message = Buffer.from('header.payload');

export function digest(algorithm: string, data: Uint8Array = message): Buffer {
  return createHash(algorithm).update(data).digest();
}

/** The error with which a promise rejects; fails if it does not. */
export async function errorOf(promise: Promise<unknown>): Promise<KMSServiceException> {
  return promise.then(
    (value) => {
      throw new Error(`expected an error, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as KMSServiceException,
  );
}

/** Whether node:crypto accepts the signature with the public key from KMS. */
export async function isSignatureOf(
  client: KMSClient,
  keyId: string,
  hash: string,
  signature: Uint8Array | undefined,
  data: Uint8Array = message,
): Promise<boolean> {
  const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: keyId }));
  const key = createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' });
  return verify(hash, data, key, signature!);
}
