import {
  CancelKeyDeletionCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GetPublicKeyCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
} from '@aws-sdk/client-kms';
import { describe, expect, test } from 'vitest';
import { errorOf, message } from '../support.js';
import { KEY_ID, setUp } from './support.js';

const UNKNOWN_KEY_ID = '99999999-2222-4333-8444-555555555555';

describe('a KeyId', () => {
  const arn = `arn:aws:kms:us-east-1:000000000000:key/${KEY_ID}`;

  test.each([KEY_ID, arn, 'alias/auth', 'arn:aws:kms:us-east-1:000000000000:alias/auth'])(
    '%s identifies the key, and the response has its ARN',
    async (KeyId) => {
      const { client } = setUp();
      const signed = { KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message: message } as const;
      expect((await client.send(new SignCommand(signed))).KeyId).toBe(arn);
      expect((await client.send(new GetPublicKeyCommand({ KeyId }))).KeyId).toBe(arn);
      expect((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata!.Arn).toBe(arn);
    },
  );

  test.each([
    [UNKNOWN_KEY_ID, `Key 'arn:aws:kms:us-east-1:000000000000:key/${UNKNOWN_KEY_ID}' does not exist`],
    ['x', "Invalid keyId 'x'"],
    ['constructor', "Invalid keyId 'constructor'"],
    ['alias/x', 'Alias arn:aws:kms:us-east-1:000000000000:alias/x is not found.'],
    ['alias/Auth', 'Alias arn:aws:kms:us-east-1:000000000000:alias/Auth is not found.'],
    [`arn:aws:kms:eu-west-1:000000000000:key/${KEY_ID}`, 'Invalid arn eu-west-1'],
    ['arn:aws:kms:eu-west-1:000000000000:alias/auth', 'Invalid arn eu-west-1'],
    [
      `arn:aws:kms:us-east-1:111111111111:key/${KEY_ID}`,
      `Key 'arn:aws:kms:us-east-1:111111111111:key/${KEY_ID}' does not exist`,
    ],
    ['arn:aws:s3:::bucket', 'Invalid arn arn:aws:s3:::bucket'],
  ])('%s is not found', async (KeyId, expected) => {
    const { client } = setUp();
    const error = await errorOf(client.send(new GetPublicKeyCommand({ KeyId })));
    expect(error).toMatchObject({
      name: 'NotFoundException',
      message: expected,
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

  test('must not be an alias in operations that change the state of a key', async () => {
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
