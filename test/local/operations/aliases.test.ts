import {
  AlreadyExistsException,
  CreateAliasCommand,
  DeleteAliasCommand,
  GetPublicKeyCommand,
  type KMSClient,
  ListAliasesCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { errorOf, message } from '../support.js';

function setUp() {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }, {}] });
  const [first, second] = localKms.keys;
  return { localKms, client: localKms.client(), first: first!, second: second! };
}

async function signer(client: KMSClient, KeyId: string): Promise<string | undefined> {
  const answer = await client.send(
    new SignCommand({ KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message: message }),
  );
  return answer.KeyId;
}

describe('an alias', () => {
  test('moves to another key at once', async () => {
    const { client, localKms, first, second } = setUp();
    expect(await signer(client, 'alias/auth')).toBe(first.arn);
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: second.keyId }));
    expect(await signer(client, 'alias/auth')).toBe(second.arn);
    expect(await signer(client, first.keyId)).toBe(first.arn);
    expect(localKms.keys.map((key) => key.aliases.map((alias) => alias.aliasName))).toEqual([
      [],
      ['alias/auth'],
    ]);
  });

  test('is created for a key ARN, and deleted', async () => {
    const { client, second } = setUp();
    await client.send(new CreateAliasCommand({ AliasName: 'alias/a/b_c-1', TargetKeyId: second.arn }));
    expect(await signer(client, 'alias/a/b_c-1')).toBe(second.arn);

    await client.send(new DeleteAliasCommand({ AliasName: 'alias/a/b_c-1' }));
    const error = await errorOf(signer(client, 'alias/a/b_c-1'));
    expect(error.name).toBe('NotFoundException');
    expect(await signer(client, second.keyId)).toBe(second.arn);
  });

  test('cannot be created twice', async () => {
    const { client, first, second } = setUp();
    const error = await errorOf(
      client.send(new CreateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: second.keyId })),
    );
    expect(error).toBeInstanceOf(AlreadyExistsException);
    expect(error.message).toBe(
      'An alias with the name arn:aws:kms:us-east-1:000000000000:alias/auth already exists',
    );
    expect(await signer(client, 'alias/auth')).toBe(first.arn);
  });

  test.each([
    ['auth', 'ValidationException'],
    ['alias/', 'ValidationException'],
    ['alias/a b', 'ValidationException'],
    ['alias/a:b', 'ValidationException'],
    [`alias/${'a'.repeat(251)}`, 'ValidationException'],
    ['alias/aws/kms', 'NotAuthorizedException'],
  ])('cannot be named %s', async (AliasName, name) => {
    const { client, localKms, second } = setUp();
    const error = await errorOf(
      client.send(new CreateAliasCommand({ AliasName, TargetKeyId: second.keyId })),
    );
    expect(error.name).toBe(name);
    expect(localKms.keys.flatMap((key) => key.aliases)).toHaveLength(1);
  });

  test('cannot be moved or deleted if it does not exist', async () => {
    const { client, second } = setUp();
    const expected = {
      name: 'NotFoundException',
      message: 'Alias arn:aws:kms:us-east-1:000000000000:alias/x is not found.',
    };
    const moved = client.send(new UpdateAliasCommand({ AliasName: 'alias/x', TargetKeyId: second.keyId }));
    expect(await errorOf(moved)).toMatchObject(expected);
    const deleted = client.send(new DeleteAliasCommand({ AliasName: 'alias/x' }));
    expect(await errorOf(deleted)).toMatchObject(expected);
  });

  test('cannot refer to another alias', async () => {
    const { client } = setUp();
    const error = await errorOf(
      client.send(new CreateAliasCommand({ AliasName: 'alias/b', TargetKeyId: 'alias/auth' })),
    );
    expect(error).toMatchObject({
      name: 'ValidationException',
      message: 'Aliases must refer to keys. Not aliases',
    });
  });

  test('cannot move to a key that is pending deletion', async () => {
    const { client, first, second } = setUp();
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: second.keyId }));
    const error = await errorOf(
      client.send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: second.keyId })),
    );
    expect(error.name).toBe('KMSInvalidStateException');
    expect(await signer(client, 'alias/auth')).toBe(first.arn);
  });

  test('cannot move to a key of another usage', async () => {
    const localKms = new LocalKms({ keys: [{ alias: 'auth' }, { keySpec: 'SYMMETRIC_DEFAULT' }] });
    const TargetKeyId = localKms.keys[1]!.keyId;
    const error = await errorOf(
      localKms.client().send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId })),
    );
    expect(error.name).toBe('ValidationException');
    expect(localKms.keys[1]!.aliases).toEqual([]);
  });
});

describe('ListAliases', () => {
  test('returns the members of AWS', async () => {
    const { client, first } = setUp();
    const { Aliases, Truncated } = await client.send(new ListAliasesCommand({}));
    expect(Truncated).toBe(false);
    expect(Aliases).toEqual([
      {
        AliasName: 'alias/auth',
        AliasArn: 'arn:aws:kms:us-east-1:000000000000:alias/auth',
        TargetKeyId: first.keyId,
        CreationDate: expect.any(Date),
        LastUpdatedDate: expect.any(Date),
      },
    ]);
  });

  test('returns the aliases of one key for a KeyId', async () => {
    const { client, first, second } = setUp();
    await client.send(new CreateAliasCommand({ AliasName: 'alias/next', TargetKeyId: second.keyId }));
    const names = async (KeyId: string) =>
      (await client.send(new ListAliasesCommand({ KeyId }))).Aliases!.map((alias) => alias.AliasName);
    expect(await names(first.keyId)).toEqual(['alias/auth']);
    expect(await names(second.arn)).toEqual(['alias/next']);
  });

  test('returns 50 aliases per page by default', async () => {
    const localKms = new LocalKms({
      keys: Array.from({ length: 51 }, (_, index) => ({
        alias: `a${index}`,
        keySpec: 'SYMMETRIC_DEFAULT' as const,
      })),
    });
    const client = localKms.client();
    const first = await client.send(new ListAliasesCommand({}));
    expect(first.Aliases).toHaveLength(50);
    expect(first).toMatchObject({ Truncated: true, NextMarker: 'alias/a49' });
    const second = await client.send(new ListAliasesCommand({ Marker: first.NextMarker }));
    expect(second.Aliases!.map((alias) => alias.AliasName)).toEqual(['alias/a50']);
    expect(second.Truncated).toBe(false);
  });

  test('rejects a limit over 100', async () => {
    const { client } = setUp();
    const error = await errorOf(client.send(new ListAliasesCommand({ Limit: 101 })));
    expect(error.name).toBe('ValidationException');
  });

  test('returns alias ARNs that GetPublicKey accepts', async () => {
    const { client, first } = setUp();
    const { Aliases } = await client.send(new ListAliasesCommand({}));
    const answer = await client.send(new GetPublicKeyCommand({ KeyId: Aliases![0]!.AliasArn }));
    expect(answer.KeyId).toBe(first.arn);
  });
});
