import { createPublicKey } from 'node:crypto';
import { DisableKeyCommand, GetPublicKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { errorOf } from '../support.js';
import { KEY_ID, setUp } from './support.js';

describe('GetPublicKey', () => {
  test('returns the key as SPKI, with the members of AWS', async () => {
    const { client, key } = setUp();
    const { PublicKey, $metadata, ...answer } = await client.send(
      new GetPublicKeyCommand({ KeyId: 'alias/auth' }),
    );
    expect(answer).toEqual({
      KeyId: key.arn,
      KeySpec: 'ECC_NIST_P256',
      CustomerMasterKeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
      SigningAlgorithms: ['ECDSA_SHA_256'],
    });
    const read = createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' });
    expect(read.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect($metadata).toMatchObject({ httpStatusCode: 200, attempts: 1 });
    expect($metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('returns the same key every time', async () => {
    const { client } = setUp();
    const [first, second] = [
      await client.send(new GetPublicKeyCommand({ KeyId: KEY_ID })),
      await client.send(new GetPublicKeyCommand({ KeyId: KEY_ID })),
    ];
    expect(first.PublicKey).toEqual(second.PublicKey);
  });

  test('lists the encryption algorithms of an encryption key', async () => {
    const localKms = new LocalKms({ keys: [{ keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT' }] });
    const KeyId = localKms.keys[0]!.keyId;
    const answer = await localKms.client().send(new GetPublicKeyCommand({ KeyId }));
    expect(answer).toMatchObject({
      KeySpec: 'RSA_2048',
      KeyUsage: 'ENCRYPT_DECRYPT',
      EncryptionAlgorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
    });
    expect(answer.SigningAlgorithms).toBeUndefined();
  });

  test('rejects a symmetric key', async () => {
    const localKms = new LocalKms({ keys: [{ alias: 'secret', keySpec: 'SYMMETRIC_DEFAULT' }] });
    const error = await errorOf(localKms.client().send(new GetPublicKeyCommand({ KeyId: 'alias/secret' })));
    expect(error.name).toBe('UnsupportedOperationException');
  });

  test('rejects a disabled key', async () => {
    const { client, key } = setUp();
    await client.send(new DisableKeyCommand({ KeyId: KEY_ID }));
    const error = await errorOf(client.send(new GetPublicKeyCommand({ KeyId: KEY_ID })));
    expect(error).toMatchObject({ name: 'DisabledException', message: `${key.arn} is disabled.` });
  });

  test('rejects a key that is pending deletion', async () => {
    const { client, key } = setUp();
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: KEY_ID }));
    const error = await errorOf(client.send(new GetPublicKeyCommand({ KeyId: KEY_ID })));
    expect(error).toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${key.arn} is pending deletion.`,
    });
  });
});
