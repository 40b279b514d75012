import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { FileRingStore, KmsJwtModule, type StoredRing } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';

const RING: StoredRing = {
  instance: 'default',
  source: 'alias/auth',
  lookedUpAt: 0,
  retired: [],
  published: [],
  distrusted: [],
};

let folder: string;
let path: string;
let store: FileRingStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ring-'));
  path = join(folder, 'ring.json');
  store = new FileRingStore(path);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const pipe = (at: string) => void execFileSync('mkfifo', ['-m', '600', at]);

async function pipeBehindLink(at: string): Promise<void> {
  pipe(`${at}.pipe`);
  await symlink(`${at}.pipe`, at);
}

async function socket(at: string): Promise<void> {
  const server = createServer().listen(at);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
}

const KINDS: [string, (at: string) => unknown][] = [
  ['a pipe', pipe],
  ['a link to a pipe', pipeBehindLink],
  ['a directory', (at) => mkdir(at)],
  ['a socket', socket],
  ['a device', (at) => symlink('/dev/zero', at)],
];

/** Pending file system calls: each occupies one of the four threads of libuv. */
const unfinished = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('FSReq'));

const refused = () => ({
  name: 'KmsJwtOptionsError',
  option: 'rotation.store',
  message: expect.stringContaining(`${path} is not a file`) as string,
});

describe.each(KINDS)('%s instead of the ring file', (_, make) => {
  test.each<[string, () => Promise<unknown>]>([
    ['loaded', () => store.load()],
    ['replaced', () => store.save(RING)],
    ['set aside', () => store.setAside()],
  ])('is not %s: it is refused at once and not changed', async (__, call) => {
    await make(path);
    const before = [await readdir(folder), (await lstat(path)).ino];
    await expect(call()).rejects.toMatchObject(refused());
    expect([await readdir(folder), (await lstat(path)).ino]).toEqual(before);
    await expect.poll(unfinished).toEqual([]);
  });

  test('stops the start of an app without a pending call', async () => {
    await make(path);
    const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client();
    const starting = Test.createTestingModule({
      imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client, rotation: { store } })],
    })
      .setLogger({ log: () => {}, warn: () => {}, error: () => {} })
      .compile();
    await expect(starting).rejects.toMatchObject(refused());
    await expect.poll(unfinished).toEqual([]);
  });
});
