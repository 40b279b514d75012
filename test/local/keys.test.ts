import { createPublicKey } from 'node:crypto';
import {
  CancelKeyDeletionCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GetPublicKeyCommand,
  type KMSClient,
  ListKeysCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
} from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { errorOf, message } from './support.js';

const uuid = '11111111-2222-4333-8444-555555555555';
const unknownUuid = '99999999-2222-4333-8444-555555555555';

function setUp() {
  const localKms = new LocalKms({ keys: [{ keyId: uuid, alias: 'auth' }] });
  return { localKms, client: localKms.client(), key: localKms.keys[0]! };
}

async function stateOf(client: KMSClient) {
  return (await client.send(new DescribeKeyCommand({ KeyId: uuid }))).KeyMetadata;
}

describe('GetPublicKey', () => {
  test('answers the key as SPKI, and all that AWS tells of it', async () => {
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

  test('answers the same key every time', async () => {
    const { client } = setUp();
    const [first, second] = [
      await client.send(new GetPublicKeyCommand({ KeyId: uuid })),
      await client.send(new GetPublicKeyCommand({ KeyId: uuid })),
    ];
    expect(first.PublicKey).toEqual(second.PublicKey);
  });

  test('names the encryption algorithms of a key for encryption', async () => {
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

  test('refuses a symmetric key', async () => {
    const localKms = new LocalKms({ keys: [{ alias: 'secret', keySpec: 'SYMMETRIC_DEFAULT' }] });
    const error = await errorOf(localKms.client().send(new GetPublicKeyCommand({ KeyId: 'alias/secret' })));
    expect(error.name).toBe('UnsupportedOperationException');
  });

  test('refuses a disabled key', async () => {
    const { client, key } = setUp();
    await client.send(new DisableKeyCommand({ KeyId: uuid }));
    const error = await errorOf(client.send(new GetPublicKeyCommand({ KeyId: uuid })));
    expect(error).toMatchObject({ name: 'DisabledException', message: `${key.arn} is disabled.` });
  });

  test('refuses a key that is pending deletion', async () => {
    const { client, key } = setUp();
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: uuid }));
    const error = await errorOf(client.send(new GetPublicKeyCommand({ KeyId: uuid })));
    expect(error).toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${key.arn} is pending deletion.`,
    });
  });
});

describe('a KeyId', () => {
  const arn = `arn:aws:kms:us-east-1:000000000000:key/${uuid}`;

  test.each([uuid, arn, 'alias/auth', 'arn:aws:kms:us-east-1:000000000000:alias/auth'])(
    '%s finds the key, and the answer has its ARN',
    async (KeyId) => {
      const { client } = setUp();
      const signed = { KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message: message } as const;
      expect((await client.send(new SignCommand(signed))).KeyId).toBe(arn);
      expect((await client.send(new GetPublicKeyCommand({ KeyId }))).KeyId).toBe(arn);
      expect((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata!.Arn).toBe(arn);
    },
  );

  test.each([
    [unknownUuid, `Key 'arn:aws:kms:us-east-1:000000000000:key/${unknownUuid}' does not exist`],
    ['x', "Invalid keyId 'x'"],
    ['constructor', "Invalid keyId 'constructor'"],
    ['alias/x', 'Alias arn:aws:kms:us-east-1:000000000000:alias/x is not found.'],
    ['alias/Auth', 'Alias arn:aws:kms:us-east-1:000000000000:alias/Auth is not found.'],
    [`arn:aws:kms:eu-west-1:000000000000:key/${uuid}`, 'Invalid arn eu-west-1'],
    ['arn:aws:kms:eu-west-1:000000000000:alias/auth', 'Invalid arn eu-west-1'],
    [
      `arn:aws:kms:us-east-1:111111111111:key/${uuid}`,
      `Key 'arn:aws:kms:us-east-1:111111111111:key/${uuid}' does not exist`,
    ],
    ['arn:aws:s3:::bucket', 'Invalid arn arn:aws:s3:::bucket'],
  ])('%s is not found', async (KeyId, text) => {
    const { client } = setUp();
    const error = await errorOf(client.send(new GetPublicKeyCommand({ KeyId })));
    expect(error).toMatchObject({
      name: 'NotFoundException',
      message: text,
      $metadata: { httpStatusCode: 400, attempts: 1 },
    });
  });

  test.each([
    ['', 'greater than or equal to 1'],
    ['x'.repeat(2049), 'less than or equal to 2048'],
  ])('has 1 to 2,048 characters', async (KeyId, limit) => {
    const { client } = setUp();
    const error = await errorOf(client.send(new GetPublicKeyCommand({ KeyId })));
    expect(error).toMatchObject({
      name: 'ValidationException',
      message: `1 validation error detected: Value '${KeyId}' at 'keyId' failed to satisfy constraint: Member must have length ${limit}`,
    });
  });

  test('is no alias where a key changes', async () => {
    const { client } = setUp();
    const KeyId = 'alias/auth';
    const errors = await Promise.all(
      [
        client.send(new DisableKeyCommand({ KeyId })),
        client.send(new EnableKeyCommand({ KeyId })),
        client.send(new ScheduleKeyDeletionCommand({ KeyId })),
        client.send(new CancelKeyDeletionCommand({ KeyId })),
      ].map(errorOf),
    );
    for (const error of errors) {
      expect(error).toMatchObject({ name: 'NotFoundException', message: "Invalid keyId 'alias/auth'" });
    }
  });
});

describe('CreateKey', () => {
  test('makes a key that signs, and answers its metadata', async () => {
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
    expect(localKms.keys.map((key) => key.keyId)).toEqual([uuid, KeyId]);

    const described = await client.send(new DescribeKeyCommand({ KeyId }));
    expect(described.KeyMetadata).toEqual(KeyMetadata);
    const signed = await client.send(
      new SignCommand({ KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message: message }),
    );
    expect(signed.KeyId).toBe(KeyMetadata!.Arn);
  });

  test('makes a symmetric key where nothing is said', async () => {
    const { client } = setUp();
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    expect(KeyMetadata).toMatchObject({
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      Description: '',
    });
  });

  test('makes a multi-Region primary key', async () => {
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

  test('takes the old name of KeySpec', async () => {
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
    [{ KeySpec: 'P-256', KeyUsage: 'SIGN_VERIFY' }, 'ValidationException', /'keySpec' .* enum value set/],
    [{ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }, 'UnsupportedOperationException', /HMAC_256/],
  ] as const)('refuses %o', async (input, name, text) => {
    const { client, localKms } = setUp();
    const error = await errorOf(client.send(new CreateKeyCommand(input as never)));
    expect(error.name).toBe(name);
    expect(error.message).toMatch(text);
    expect(localKms.keys).toHaveLength(1);
  });
});

describe('the state of a key', () => {
  test('goes from enabled to disabled and back', async () => {
    const { client, localKms } = setUp();
    await client.send(new DisableKeyCommand({ KeyId: uuid }));
    expect(await stateOf(client)).toMatchObject({ Enabled: false, KeyState: 'Disabled' });
    expect(localKms.keys[0]!.keyState).toBe('Disabled');

    await client.send(new EnableKeyCommand({ KeyId: uuid }));
    expect(await stateOf(client)).toMatchObject({ Enabled: true, KeyState: 'Enabled' });
    await client.send(new GetPublicKeyCommand({ KeyId: uuid }));
  });

  test('is pending deletion for 7 to 30 days, and disabled after that is cancelled', async () => {
    const { client, key } = setUp();
    const { DeletionDate, ...answer } = await client.send(
      new ScheduleKeyDeletionCommand({ KeyId: key.arn, PendingWindowInDays: 7 }),
    );
    expect(answer).toMatchObject({ KeyId: key.arn, KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    const days = (DeletionDate!.getTime() - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(7, 3);
    expect(await stateOf(client)).toMatchObject({
      Enabled: false,
      KeyState: 'PendingDeletion',
      DeletionDate,
    });

    const cancelled = await client.send(new CancelKeyDeletionCommand({ KeyId: uuid }));
    expect(cancelled.KeyId).toBe(key.arn);
    const described = await stateOf(client);
    expect(described).toMatchObject({ KeyState: 'Disabled' });
    expect(described!.DeletionDate).toBeUndefined();
  });

  test('is pending deletion for 30 days where nothing is said', async () => {
    const { client } = setUp();
    const answer = await client.send(new ScheduleKeyDeletionCommand({ KeyId: uuid }));
    expect(answer.PendingWindowInDays).toBe(30);
  });

  test.each([6, 31])('cannot be pending deletion for %i days', async (PendingWindowInDays) => {
    const { client, localKms } = setUp();
    const error = await errorOf(
      client.send(new ScheduleKeyDeletionCommand({ KeyId: uuid, PendingWindowInDays })),
    );
    expect(error.name).toBe('ValidationException');
    expect(error.message).toContain(`Value '${PendingWindowInDays}' at 'pendingWindowInDays'`);
    expect(localKms.keys[0]!.keyState).toBe('Enabled');
  });

  test('changes in no other way while it is pending deletion', async () => {
    const { client, key } = setUp();
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: uuid }));
    const errors = await Promise.all(
      [
        client.send(new EnableKeyCommand({ KeyId: uuid })),
        client.send(new DisableKeyCommand({ KeyId: uuid })),
        client.send(new ScheduleKeyDeletionCommand({ KeyId: uuid })),
      ].map(errorOf),
    );
    for (const error of errors) {
      expect(error).toMatchObject({
        name: 'KMSInvalidStateException',
        message: `${key.arn} is pending deletion.`,
      });
    }
  });

  test('cannot be cancelled out of a deletion that was never scheduled', async () => {
    const { client, key } = setUp();
    const error = await errorOf(client.send(new CancelKeyDeletionCommand({ KeyId: uuid })));
    expect(error).toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${key.arn} is not pending deletion.`,
    });
  });
});

describe('ListKeys', () => {
  test('of an empty KMS is empty', async () => {
    const answer = await new LocalKms().client().send(new ListKeysCommand({}));
    expect(answer).toMatchObject({ Keys: [], Truncated: false });
    expect(answer.NextMarker).toBeUndefined();
  });

  test('lists all keys, page by page', async () => {
    const localKms = new LocalKms({
      keys: Array.from({ length: 5 }, () => ({ keySpec: 'SYMMETRIC_DEFAULT' as const })),
    });
    const client = localKms.client();
    const pages: number[] = [];
    const listed: unknown[] = [];
    let Marker: string | undefined;
    do {
      const answer = await client.send(new ListKeysCommand({ Limit: 2, Marker }));
      pages.push(answer.Keys!.length);
      listed.push(...answer.Keys!);
      expect(answer.Truncated).toBe(answer.NextMarker !== undefined);
      Marker = answer.NextMarker;
    } while (Marker !== undefined);
    expect(pages).toEqual([2, 2, 1]);
    expect(listed).toEqual(localKms.keys.map(({ keyId, arn }) => ({ KeyId: keyId, KeyArn: arn })));
  });

  test('ends with a page that is just full', async () => {
    const { client } = setUp();
    expect(await client.send(new ListKeysCommand({ Limit: 1 }))).toMatchObject({ Truncated: false });
  });

  test('has 100 keys a page where nothing is said', async () => {
    const keys = Array.from({ length: 101 }, () => ({ keySpec: 'SYMMETRIC_DEFAULT' as const }));
    const answer = await new LocalKms({ keys }).client().send(new ListKeysCommand({}));
    expect(answer.Keys).toHaveLength(100);
    expect(answer.Truncated).toBe(true);
  });

  test('refuses a marker it did not give', async () => {
    const { client } = setUp();
    const error = await errorOf(client.send(new ListKeysCommand({ Marker: 'x' })));
    expect(error.name).toBe('InvalidMarkerException');
  });

  test.each([0, 1001])('refuses a limit of %i', async (Limit) => {
    const { client } = setUp();
    const error = await errorOf(client.send(new ListKeysCommand({ Limit })));
    expect(error.name).toBe('ValidationException');
  });
});
