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
  test('is nothing at first, then what was saved last', async () => {
    expect(await store.load()).toBeUndefined();
    await store.save(ring(1));
    await store.save(ring(2));
    expect(await new FileRingStore(path).load()).toEqual(ring(2));
  });

  test('is for its owner alone, whatever the file was before', async () => {
    await writeFile(path, '{}', { mode: 0o666 });
    await store.save(ring(1));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('is never seen by halves, and leaves nothing else behind', async () => {
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

  test('that is no JSON is an error and not an empty ring', async () => {
    await writeFile(path, '{"retired":[');
    await expect(store.load()).rejects.toThrow(SyntaxError);
  });

  test('that is invalid is kept aside, and so is each further one', async () => {
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

  test('is written without what processes left behind that were killed while they wrote', async () => {
    const draft = `${path}.${randomUUID()}`;
    const others = ['ring.json.backup', `other.json.${randomUUID()}`];
    for (const file of [draft, ...others.map((name) => join(folder, name))]) await writeFile(file, '{');
    await store.save(ring(1));
    expect(await readdir(folder)).toContain(basename(draft));
    const later = new FileRingStore(path, () => Date.now() + 3_700_000);
    await later.save(ring(1));
    expect((await readdir(folder)).toSorted()).toEqual(['ring.json', ...others].toSorted());
  });

  test('cannot be saved where there is no folder', async () => {
    await expect(new FileRingStore(join(folder, 'none', 'ring.json')).save(ring(1))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
