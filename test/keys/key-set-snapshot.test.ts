import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { readSnapshot } from '../../src/keys/key-set-snapshot.js';
import { verificationKey } from '../support/verification-key.js';

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'snapshot-'))));
afterAll(() => rmSync(directory, { recursive: true }));

const { jwk } = verificationKey('a');
const keys = [jwk];

function read(content: unknown) {
  const path = join(directory, 'jwks.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readSnapshot(path, [ES256], 'issuers.keys.snapshot');
}

const refusal = (message: RegExp) => ({
  name: 'KmsJwtOptionsError',
  option: 'issuers.keys.snapshot',
  message: expect.stringMatching(message) as string,
});

test.each([
  ['2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1)],
  ['2026-01-01T00:00Z', Date.UTC(2026, 0, 1)],
  ['2026-01-01T00:00:00.250Z', Date.UTC(2026, 0, 1, 0, 0, 0, 250)],
  ['2026-01-01T01:00:00+01:00', Date.UTC(2026, 0, 1)],
])('a snapshot with the time %s has the keys for the configured algorithms', async (fetchedAt, time) => {
  const snapshot = await read({ fetchedAt, keys: [...keys, { kty: 'RSA', kid: 'rsa' }] });
  expect(snapshot.fetchedAt).toBe(time);
  expect(snapshot.keys.map(({ kid }) => kid)).toEqual(['a']);
});

test.each<[string, unknown, RegExp]>([
  ['invalid JSON', '<html>', /does not say when it was fetched/],
  ['null', 'null', /does not say when it was fetched/],
  ['a key set without a time', { keys }, /does not say when it was fetched/],
  ['a time in seconds', { fetchedAt: 1_767_225_600, keys }, /does not say when it was fetched/],
  ['a time without a zone', { fetchedAt: '2026-01-01T00:00:00', keys }, /does not say when it was fetched/],
  ['a day', { fetchedAt: '2026-01-01', keys }, /does not say when it was fetched/],
  [
    'a time that does not exist',
    { fetchedAt: '2026-13-01T00:00:00Z', keys },
    /does not say when it was fetched/,
  ],
  ['no keys', { fetchedAt: '2026-01-01T00:00:00Z' }, /contains no key for ES256/],
  [
    'keys of other algorithms',
    { fetchedAt: '2026-01-01T00:00:00Z', keys: [{ kty: 'RSA' }] },
    /no key for ES256/,
  ],
])('a snapshot with %s is refused, and the message has the remedy', async (_, content, message) => {
  await expect(read(content)).rejects.toMatchObject(refusal(message));
  await expect(read(content)).rejects.toMatchObject(refusal(/write the key set into it as \{ "fetchedAt": /));
});

test('a missing snapshot is refused, and the message has its path', async () => {
  const path = join(directory, 'missing.json');
  await expect(readSnapshot(path, [ES256], 'issuers.keys.snapshot')).rejects.toMatchObject(
    refusal(/missing\.json\) cannot be read \(ENOENT\): when you build the app/),
  );
});
