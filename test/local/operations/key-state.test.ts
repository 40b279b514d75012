import {
  CancelKeyDeletionCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GetPublicKeyCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { describe, expect, test } from 'vitest';
import { errorOf } from '../support.js';
import { describeKey, KEY_ID, setUp } from './support.js';

describe('the state of a key', () => {
  test('changes from Enabled to Disabled and back', async () => {
    const { client, localKms } = setUp();
    await client.send(new DisableKeyCommand({ KeyId: KEY_ID }));
    expect(await describeKey(client)).toMatchObject({ Enabled: false, KeyState: 'Disabled' });
    expect(localKms.keys[0]!.keyState).toBe('Disabled');

    await client.send(new EnableKeyCommand({ KeyId: KEY_ID }));
    expect(await describeKey(client)).toMatchObject({ Enabled: true, KeyState: 'Enabled' });
    await client.send(new GetPublicKeyCommand({ KeyId: KEY_ID }));
  });

  test('is PendingDeletion for the given days, and Disabled once that is cancelled', async () => {
    const { client, key } = setUp();
    const { DeletionDate, ...answer } = await client.send(
      new ScheduleKeyDeletionCommand({ KeyId: key.arn, PendingWindowInDays: 7 }),
    );
    expect(answer).toMatchObject({ KeyId: key.arn, KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    const days = (DeletionDate!.getTime() - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(7, 3);
    expect(await describeKey(client)).toMatchObject({
      Enabled: false,
      KeyState: 'PendingDeletion',
      DeletionDate,
    });

    const cancelled = await client.send(new CancelKeyDeletionCommand({ KeyId: KEY_ID }));
    expect(cancelled.KeyId).toBe(key.arn);
    const described = await describeKey(client);
    expect(described).toMatchObject({ KeyState: 'Disabled' });
    expect(described!.DeletionDate).toBeUndefined();
  });

  test('is PendingDeletion for 30 days by default', async () => {
    const { client } = setUp();
    const answer = await client.send(new ScheduleKeyDeletionCommand({ KeyId: KEY_ID }));
    expect(answer.PendingWindowInDays).toBe(30);
  });

  test.each([6, 31])('cannot be PendingDeletion for %i days', async (PendingWindowInDays) => {
    const { client, localKms } = setUp();
    const error = await errorOf(
      client.send(new ScheduleKeyDeletionCommand({ KeyId: KEY_ID, PendingWindowInDays })),
    );
    expect(error.name).toBe('ValidationException');
    expect(error.message).toContain(`Value '${PendingWindowInDays}' at 'pendingWindowInDays'`);
    expect(localKms.keys[0]!.keyState).toBe('Enabled');
  });

  test('cannot be changed otherwise while it is PendingDeletion', async () => {
    const { client, key } = setUp();
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: KEY_ID }));
    const errors = await Promise.all(
      [
        client.send(new EnableKeyCommand({ KeyId: KEY_ID })),
        client.send(new DisableKeyCommand({ KeyId: KEY_ID })),
        client.send(new ScheduleKeyDeletionCommand({ KeyId: KEY_ID })),
      ].map(errorOf),
    );
    for (const error of errors) {
      expect(error).toMatchObject({
        name: 'KMSInvalidStateException',
        message: `${key.arn} is pending deletion.`,
      });
    }
  });

  test('cannot be changed by CancelKeyDeletion if no deletion is scheduled', async () => {
    const { client, key } = setUp();
    const error = await errorOf(client.send(new CancelKeyDeletionCommand({ KeyId: KEY_ID })));
    expect(error).toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${key.arn} is not pending deletion.`,
    });
  });
});
