import { createPublicKey } from 'node:crypto';
import { DisableKeyCommand, GetPublicKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { errorOf } from '../support.js';
import { KEY_ID, setUp } from './support.js';

function publicKeyOf(keySpec: LocalKmsKeySpec) {
  const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec }] });
  return localKms.client().send(new GetPublicKeyCommand({ KeyId: 'alias/auth' }));
}

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

  const ofRsa = [
    'RSASSA_PKCS1_V1_5_SHA_256',
    'RSASSA_PKCS1_V1_5_SHA_384',
    'RSASSA_PKCS1_V1_5_SHA_512',
    'RSASSA_PSS_SHA_256',
    'RSASSA_PSS_SHA_384',
    'RSASSA_PSS_SHA_512',
  ];
  test.each<[LocalKmsKeySpec, string[], string, object]>([
    ['ECC_NIST_P384', ['ECDSA_SHA_384'], 'ec', { namedCurve: 'secp384r1' }],
    ['ECC_NIST_P521', ['ECDSA_SHA_512'], 'ec', { namedCurve: 'secp521r1' }],
    ['ECC_SECG_P256K1', ['ECDSA_SHA_256'], 'ec', { namedCurve: 'secp256k1' }],
    ['ECC_NIST_EDWARDS25519', ['ED25519_PH_SHA_512', 'ED25519_SHA_512'], 'ed25519', {}],
    ['RSA_2048', ofRsa, 'rsa', { modulusLength: 2048, publicExponent: 65_537n }],
    ['RSA_3072', ofRsa, 'rsa', { modulusLength: 3072, publicExponent: 65_537n }],
    ['RSA_4096', ofRsa, 'rsa', { modulusLength: 4096, publicExponent: 65_537n }],
  ])('returns a key of spec %s with its algorithms', async (keySpec, algorithms, type, details) => {
    const { PublicKey, ...answer } = await publicKeyOf(keySpec);
    expect(answer).toMatchObject({
      KeySpec: keySpec,
      CustomerMasterKeySpec: keySpec,
      KeyUsage: 'SIGN_VERIFY',
      SigningAlgorithms: algorithms,
    });
    const read = createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' });
    expect(read.asymmetricKeyType).toBe(type);
    expect(read.asymmetricKeyDetails).toEqual(details);
  });

  // RFC 9881, section 4: a SubjectPublicKeyInfo whose algorithm has no parameters.
  test.each<[LocalKmsKeySpec, string, number]>([
    ['ML_DSA_44', '30820532300b06096086480165030403110382052100', 1312],
    ['ML_DSA_65', '308207b2300b0609608648016503040312038207a100', 1952],
    ['ML_DSA_87', '30820a32300b060960864801650304031303820a2100', 2592],
  ])('returns a key of spec %s as its object identifier and its bytes', async (keySpec, start, length) => {
    const { PublicKey, ...answer } = await publicKeyOf(keySpec);
    expect(answer).toMatchObject({
      KeySpec: keySpec,
      CustomerMasterKeySpec: keySpec,
      KeyUsage: 'SIGN_VERIFY',
      SigningAlgorithms: ['ML_DSA_SHAKE_256'],
    });
    expect(Buffer.from(PublicKey!).toString('hex', 0, 22)).toBe(start);
    expect(PublicKey).toHaveLength(22 + length);
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
