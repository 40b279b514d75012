import { EncryptCommand, GetPublicKeyCommand, KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsOptions } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { errorOf } from './support.js';

describe('the keys of a LocalKms', () => {
  test('are none by default', () => {
    expect(new LocalKms().keys).toEqual([]);
  });

  test('are P-256 keys for signing by default', () => {
    expect(new LocalKms({ keys: [{}] }).keys).toEqual([
      {
        keyId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
        arn: expect.stringMatching(/^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f-]{36}$/),
        keySpec: 'ECC_NIST_P256',
        keyUsage: 'SIGN_VERIFY',
        keyState: 'Enabled',
        aliases: [],
      },
    ]);
  });

  test('have the given region, account, id, alias, spec and usage', () => {
    const localKms = new LocalKms({
      region: 'eu-west-1',
      accountId: '123456789012',
      keys: [
        { keyId: '11111111-2222-4333-8444-555555555555', alias: 'auth' },
        { alias: 'alias/rsa', keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT' },
        { keyId: `mrk-${'0'.repeat(32)}` },
        { multiRegion: true, keySpec: 'ECC_SECG_P256K1' },
        { keySpec: 'SYMMETRIC_DEFAULT' },
      ],
    });
    const [first, second, third, fourth, fifth] = localKms.keys;
    expect(first).toMatchObject({
      arn: 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555',
      aliases: [{ aliasName: 'alias/auth', aliasArn: 'arn:aws:kms:eu-west-1:123456789012:alias/auth' }],
    });
    expect(second).toMatchObject({
      keySpec: 'RSA_2048',
      keyUsage: 'ENCRYPT_DECRYPT',
      aliases: [{ aliasName: 'alias/rsa' }],
    });
    expect(third!.keyId).toBe(`mrk-${'0'.repeat(32)}`);
    expect(fourth!.keyId).toMatch(/^mrk-[0-9a-f]{32}$/);
    expect(fifth!.keyUsage).toBe('ENCRYPT_DECRYPT');
  });

  test.each([
    [{ key: [] }, 'options.key is unknown'],
    [[], 'options must be an object'],
    [null, 'options must be an object'],
    [{ keys: {} }, 'option keys must'],
    [{ keys: ['alias/auth'] }, 'option keys[0] must'],
    [{ keys: [{}, { keyspec: 'RSA_2048' }] }, 'option keys[1].keyspec is unknown'],
    [{ keys: [{ keySpec: 'ECC_NIST_P255' }] }, 'option keys[0].keySpec must'],
    [{ keys: [{ keyUsage: 'ENCRYPT_DECRYPT' }] }, 'option keys[0].keyUsage must'],
    [{ keys: [{ keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'SIGN_VERIFY' }] }, 'option keys[0].keyUsage must'],
    [{ keys: [{ keyId: 'auth' }] }, 'option keys[0].keyId must'],
    [{ keys: [{ alias: 'a b' }] }, 'option keys[0].alias must'],
    [{ keys: [{ alias: 1 }] }, 'option keys[0].alias must'],
    [{ keys: [{ alias: 'aws/kms' }] }, 'option keys[0].alias must'],
    [{ keys: [{ multiRegion: 'yes' }] }, 'option keys[0].multiRegion must'],
    [
      { keys: [{ multiRegion: true, keyId: '11111111-2222-4333-8444-555555555555' }] },
      'option keys[0].multiRegion does not agree',
    ],
    [{ keys: [{ alias: 'a' }, { alias: 'alias/a' }] }, 'option keys has two entries with "alias/a"'],
    [{ region: 'Ireland' }, 'option region must'],
    [{ accountId: '1' }, 'option accountId must'],
    [{ accountId: 123456789012 }, 'option accountId must'],
    [{ file: '' }, 'option file must'],
    [{ file: 'unused', keys: [{}] }, 'option keys[0] needs an alias or a keyId'],
  ])('must be valid, or a TypeError names the option: %j', (options, problem) => {
    expect(() => new LocalKms(options as LocalKmsOptions)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        message: expect.stringContaining(`LocalKms ${problem}`),
      }),
    );
  });
});

describe('a LocalKms', () => {
  test('refuses to start in production, with the reason and the alternative', () => {
    const before = process.env.NODE_ENV;
    onTestFinished(() => {
      process.env.NODE_ENV = before;
    });
    process.env.NODE_ENV = 'production';
    expect(() => new LocalKms()).toThrow(
      /refuses to start under NODE_ENV=production: .*private keys.* Use a KMSClient of @aws-sdk\/client-kms/,
    );
    for (const spelling of ['Production', 'PRODUCTION', ' production ', 'prod', 'Prod']) {
      process.env.NODE_ENV = spelling;
      expect(() => new LocalKms()).toThrow(/refuses to start/);
    }
    for (const other of ['test', 'development', 'reproduction']) {
      process.env.NODE_ENV = other;
      expect(() => new LocalKms()).not.toThrow();
    }
  });

  test('creates clients of the SDK with further configuration', async () => {
    const localKms = new LocalKms({ region: 'eu-west-1', keys: [{ alias: 'auth' }] });
    const client = localKms.client({ maxAttempts: 7 });
    expect(client).toBeInstanceOf(KMSClient);
    expect(await client.config.region()).toBe('eu-west-1');
    expect(await client.config.maxAttempts()).toBe(7);
  });

  test('rejects an unsupported operation with UnknownOperationException', async () => {
    const client = new LocalKms().client();
    const error = await errorOf(
      client.send(new EncryptCommand({ KeyId: 'alias/auth', Plaintext: Buffer.from('a') })),
    );
    expect(error).toMatchObject({
      name: 'UnknownOperationException',
      message: expect.stringMatching(/^LocalKms does not support TrentService.Encrypt; it supports .*Sign/),
      $metadata: { httpStatusCode: 400, attempts: 1 },
    });
  });

  test('outlives its clients', async () => {
    const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
    localKms.client().destroy();
    expect((await localKms.client().send(new ListKeysCommand({}))).Keys).toHaveLength(1);
  });

  test('counts the requests of each operation', async () => {
    const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
    const client = localKms.client();
    const KeyId = 'alias/auth';
    await Promise.all(Array.from({ length: 20 }, () => client.send(new GetPublicKeyCommand({ KeyId }))));
    const { GetPublicKey, ...others } = localKms.calls;
    expect(GetPublicKey).toBe(20);
    expect(Object.keys(others)).toHaveLength(13);
    expect(Object.values(others)).toEqual(Array(13).fill(0));
    localKms.resetCalls();
    expect(localKms.calls.GetPublicKey).toBe(0);
  });
});
