import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { FileRingStore, type StoredRing } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const ring = (leftAt: number): StoredRing => ({
  instance: 'default',
  source: 'alias/auth',
  lookedUpAt: 0,
  published: [],
  distrusted: [],
  retired: [
    {
      leftAt,
      keyArn: 'arn:aws:kms:eu-central-1:000000000000:key/k',
      jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'k', alg: 'ES256', use: 'sig' },
    },
  ],
});

let folder: string;
let path: string;
let store: FileRingStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ring-'));
  path = join(folder, 'ring.json');
  store = new FileRingStore(path);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a ring in a file', () => {
  test('is undefined at first, then the last saved ring', async () => {
    expect(await store.load()).toBeUndefined();
    await store.save(ring(1));
    await store.save(ring(2));
    expect(await new FileRingStore(path).load()).toEqual(ring(2));
  });

  test('is readable only by its owner, regardless of the former mode of the file', async () => {
    await writeFile(path, '{}', { mode: 0o666 });
    await store.save(ring(1));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('is replaced atomically, without leftover files', async () => {
    await store.save(ring(0));
    const writer = { isDone: false };
    const reader = async () => {
      let count = 0;
      while (!writer.isDone) {
        expect((await store.load())?.retired).toHaveLength(1);
        count += 1;
      }
      return count;
    };
    const reading = reader();
    for (let time = 1; time <= 50; time += 1) await store.save(ring(time));
    writer.isDone = true;
    expect(await reading).toBeGreaterThan(10);
    expect(await readdir(folder)).toEqual(['ring.json']);
  });

  test('that is not JSON is an error, not an empty ring', async () => {
    await writeFile(path, '{"retired":[');
    await expect(store.load()).rejects.toThrow(SyntaxError);
  });

  test('that is invalid is set aside, as is each later one', async () => {
    let now = 1000;
    store = new FileRingStore(path, () => now);
    await writeFile(path, '{"retired":[');
    await store.setAside();
    await store.save(ring(1));
    expect(await store.load()).toEqual(ring(1));

    now = 2000;
    await writeFile(path, 'second');
    await store.setAside();
    expect(await readFile(`${path}.1000.invalid`, 'utf8')).toBe('{"retired":[');
    expect(await readFile(`${path}.2000.invalid`, 'utf8')).toBe('second');
  });

  test('is saved, and old drafts of killed processes are removed', async () => {
    const draft = `${path}.${randomUUID()}`;
    const others = ['ring.json.backup', `other.json.${randomUUID()}`];
    for (const file of [draft, ...others.map((name) => join(folder, name))]) await writeFile(file, '{');
    await store.save(ring(1));
    expect(await readdir(folder)).toContain(basename(draft));
    const later = new FileRingStore(path, () => Date.now() + 3_700_000);
    await later.save(ring(1));
    expect((await readdir(folder)).toSorted()).toEqual(['ring.json', ...others].toSorted());
  });

  test('cannot be saved without its folder', async () => {
    await expect(new FileRingStore(join(folder, 'none', 'ring.json')).save(ring(1))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
