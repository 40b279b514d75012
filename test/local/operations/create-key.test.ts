import { CreateKeyCommand, DescribeKeyCommand, SignCommand } from '@aws-sdk/client-kms';
import { describe, expect, test } from 'vitest';
import { errorOf, message } from '../support.js';
import { KEY_ID, setUp } from './support.js';

describe('CreateKey', () => {
  test('creates a key that signs, and returns its metadata', async () => {
    const { client, localKms } = setUp();
    const before = Date.now();
    const { KeyMetadata } = await client.send(
      new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Description: 'tokens' }),
    );
    const { KeyId, CreationDate, ...rest } = KeyMetadata!;
    expect(KeyId).toMatch(/^[0-9a-f-]{36}$/);
    expect(CreationDate!.getTime()).toBeGreaterThanOrEqual(before);
    expect(CreationDate!.getTime()).toBeLessThanOrEqual(Date.now());
    expect(rest).toEqual({
      AWSAccountId: '000000000000',
      Arn: `arn:aws:kms:us-east-1:000000000000:key/${KeyId}`,
      Enabled: true,
      Description: 'tokens',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      KeySpec: 'ECC_NIST_P256',
      CustomerMasterKeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
      SigningAlgorithms: ['ECDSA_SHA_256'],
      MultiRegion: false,
    });
    expect(localKms.keys.map((key) => key.keyId)).toEqual([KEY_ID, KeyId]);

    const described = await client.send(new DescribeKeyCommand({ KeyId }));
    expect(described.KeyMetadata).toEqual(KeyMetadata);
    const signed = await client.send(
      new SignCommand({ KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message: message }),
    );
    expect(signed.KeyId).toBe(KeyMetadata!.Arn);
  });

  test.each([
    ['ECC_NIST_EDWARDS25519', ['ED25519_PH_SHA_512', 'ED25519_SHA_512']],
    ['RSA_2048', expect.arrayContaining(['RSASSA_PKCS1_V1_5_SHA_256', 'RSASSA_PSS_SHA_512'])],
    ['ML_DSA_44', ['ML_DSA_SHAKE_256']],
    ['ML_DSA_65', ['ML_DSA_SHAKE_256']],
    ['ML_DSA_87', ['ML_DSA_SHAKE_256']],
  ] as const)('creates a key of spec %s', async (KeySpec, SigningAlgorithms) => {
    const { client } = setUp();
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }));
    const expected = { KeySpec, CustomerMasterKeySpec: KeySpec, KeyUsage: 'SIGN_VERIFY', SigningAlgorithms };
    expect(KeyMetadata).toMatchObject(expected);
    const described = await client.send(new DescribeKeyCommand({ KeyId: KeyMetadata!.KeyId }));
    expect(described.KeyMetadata).toEqual(KeyMetadata);
  });

  test('creates a symmetric key by default', async () => {
    const { client } = setUp();
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    expect(KeyMetadata).toMatchObject({
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      Description: '',
    });
  });

  test('creates a multi-Region primary key', async () => {
    const { client } = setUp();
    const { KeyMetadata } = await client.send(
      new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', MultiRegion: true }),
    );
    expect(KeyMetadata!.KeyId).toMatch(/^mrk-[0-9a-f]{32}$/);
    expect(KeyMetadata).toMatchObject({
      MultiRegion: true,
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'PRIMARY',
        PrimaryKey: { Arn: KeyMetadata!.Arn, Region: 'us-east-1' },
        ReplicaKeys: [],
      },
    });
  });

  test('accepts CustomerMasterKeySpec, the old name of KeySpec', async () => {
    const { client } = setUp();
    const { KeyMetadata } = await client.send(
      new CreateKeyCommand({ CustomerMasterKeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY' }),
    );
    expect(KeyMetadata!.KeySpec).toBe('ECC_NIST_P384');
  });

  test.each([
    [{ KeySpec: 'ECC_NIST_P256' }, 'ValidationException', /must specify a KeyUsage/],
    [
      { KeySpec: 'ECC_NIST_P256', KeyUsage: 'ENCRYPT_DECRYPT' },
      'ValidationException',
      /^KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256$/,
    ],
    [
      { KeySpec: 'ML_DSA_65', KeyUsage: 'ENCRYPT_DECRYPT' },
      'ValidationException',
      /^KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ML_DSA_65$/,
    ],
    [{ KeySpec: 'P-256', KeyUsage: 'SIGN_VERIFY' }, 'ValidationException', /'keySpec' .* enum value set/],
    [{ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }, 'UnsupportedOperationException', /HMAC_256/],
  ] as const)('rejects %o', async (input, name, pattern) => {
    const { client, localKms } = setUp();
    const error = await errorOf(client.send(new CreateKeyCommand(input as never)));
    expect(error.name).toBe(name);
    expect(error.message).toMatch(pattern);
    expect(localKms.keys).toHaveLength(1);
  });
});
