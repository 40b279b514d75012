import { ListKeysCommand } from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { errorOf } from '../support.js';
import { setUp } from './support.js';

describe('ListKeys', () => {
  test('returns an empty list if there are no keys', async () => {
    const answer = await new LocalKms().client().send(new ListKeysCommand({}));
    expect(answer).toMatchObject({ Keys: [], Truncated: false });
    expect(answer.NextMarker).toBeUndefined();
  });

  test('returns all keys, page by page', async () => {
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

  test('reports no further page after an exactly full one', async () => {
    const { client } = setUp();
    expect(await client.send(new ListKeysCommand({ Limit: 1 }))).toMatchObject({ Truncated: false });
  });

  test('returns 100 keys per page by default', async () => {
    const keys = Array.from({ length: 101 }, () => ({ keySpec: 'SYMMETRIC_DEFAULT' as const }));
    const answer = await new LocalKms({ keys }).client().send(new ListKeysCommand({}));
    expect(answer.Keys).toHaveLength(100);
    expect(answer.Truncated).toBe(true);
  });

  test('rejects an unknown marker', async () => {
    const { client } = setUp();
    const error = await errorOf(client.send(new ListKeysCommand({ Marker: 'x' })));
    expect(error.name).toBe('InvalidMarkerException');
  });

  test.each([0, 1001])('rejects a limit of %i', async (Limit) => {
    const { client } = setUp();
    const error = await errorOf(client.send(new ListKeysCommand({ Limit })));
    expect(error.name).toBe('ValidationException');
  });
});
