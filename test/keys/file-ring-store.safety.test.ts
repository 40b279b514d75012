import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { FileRingStore, KmsJwtModule, KmsJwtService, type StoredRing } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

const RING: StoredRing = {
  instance: 'default',
  source: 'alias/auth',
  lookedUpAt: 0,
  retired: [],
  published: [],
  distrusted: [],
};
const isRoot = process.geteuid?.() === 0;
const NOBODY = 65_534;

let folder: string;
let path: string;
let store: FileRingStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ring-'));
  path = join(folder, 'ring.json');
  store = new FileRingStore(path);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const refusal = (message: RegExp) => ({
  name: 'KmsJwtOptionsError',
  option: 'rotation.store',
  message: expect.stringMatching(message),
});

/** Makes another user the owner of a file or directory: by chown, or by a mocked effective uid. */
async function giveAway(target: string): Promise<void> {
  if (isRoot) return chown(target, NOBODY, NOBODY);
  vi.spyOn(process, 'geteuid').mockReturnValue(NOBODY);
  onTestFinished(() => void vi.restoreAllMocks());
}

describe('a ring file is refused', () => {
  test.each([0o602, 0o666, 0o622])('that other users can write: mode %o', async (mode) => {
    await store.save(RING);
    await chmod(path, mode);
    await expect(store.load()).rejects.toMatchObject(
      refusal(new RegExp(`ring\\.json.*writable by every user.*mode 0${mode.toString(8)}`)),
    );
  });

  test.each([0o777, 0o1777, 0o703])('in a directory that other users can write: mode %o', async (mode) => {
    await store.save(RING);
    await chmod(folder, mode);
    await expect(store.load()).rejects.toMatchObject(
      refusal(new RegExp(`${folder}.*writable by every user.*mode 0${mode.toString(8)}`)),
    );
  });

  test('in such a directory, even if it does not exist yet', async () => {
    await chmod(folder, 0o777);
    await expect(store.load()).rejects.toMatchObject(refusal(/writable by every user/));
  });

  test('that belongs to another user', async () => {
    await store.save(RING);
    await giveAway(path);
    await expect(store.load()).rejects.toMatchObject(refusal(/another user \(uid \d+, mode 0\d00;/));
  });

  test('in a directory that belongs to another user', async () => {
    await giveAway(folder);
    await expect(store.load()).rejects.toMatchObject(refusal(/another user.*uid \d+, mode 0700/));
  });

  test('that is a link to an unsafe file', async () => {
    const target = join(folder, 'target.json');
    await writeFile(target, JSON.stringify(RING));
    await chmod(target, 0o666);
    await symlink(target, path);
    await expect(store.load()).rejects.toMatchObject(refusal(/writable by every user/));
  });

  test('that is a link into a directory that every user can write', async () => {
    const shared = join(folder, 'open');
    await mkdir(shared);
    await chmod(shared, 0o777);
    const target = join(shared, 'ring.json');
    await writeFile(target, JSON.stringify(RING), { mode: 0o600 });
    await symlink(target, path);
    await expect(store.load()).rejects.toMatchObject(refusal(/writable by every user/));
  });

  test.each([
    ['a directory', () => mkdir(path)],
    ['a pipe, without waiting for a writer', async () => void execFileSync('mkfifo', ['-m', '600', path])],
  ])('that is %s', async (_, make) => {
    await make();
    await expect(store.load()).rejects.toMatchObject(refusal(/is not a file/));
  });
});

describe('a ring file is accepted', () => {
  test('that only its owner can write', async () => {
    await store.save(RING);
    expect(await store.load()).toEqual(RING);
    expect(store.warning).toBeUndefined();
  });

  test.each([
    ['the file', () => chmod(path, 0o660), /ring\.json.*writable by its group/],
    ['the directory', () => chmod(folder, 0o2775), /ring-.*writable by its group/],
  ])(
    'with a warning if the group can write %s, as with fsGroup in Kubernetes',
    async (_, loosen, warning) => {
      await store.save(RING);
      await loosen();
      expect(await store.load()).toEqual(RING);
      expect(store.warning).toMatch(warning);
    },
  );

  test.runIf(isRoot)('that belongs to root, if the process does not run as root', async () => {
    await store.save(RING);
    await chmod(path, 0o644);
    await chmod(folder, 0o755);
    process.seteuid?.(NOBODY);
    try {
      expect(await store.load()).toEqual(RING);
    } finally {
      process.seteuid?.(0);
    }
  });
});

const asNobody = async (run: () => Promise<void>) => {
  if (!isRoot) return run();
  process.seteuid?.(NOBODY);
  try {
    await run();
  } finally {
    process.seteuid?.(0);
  }
};

describe('an error names the owner and the mode', () => {
  test('of a file that cannot be read', async () => {
    await store.save(RING);
    await chmod(path, 0o000);
    await chmod(folder, 0o755);
    await asNobody(() =>
      expect(store.load()).rejects.toMatchObject({
        code: 'EACCES',
        message: expect.stringMatching(
          /ring\.json: uid \d+, mode 0000; .*: uid \d+, mode 0755; this process: uid \d+/,
        ),
      }),
    );
  });

  test('of a directory that cannot be written', async () => {
    await chmod(folder, 0o555);
    await asNobody(() =>
      expect(store.save(RING)).rejects.toMatchObject({
        code: 'EACCES',
        message: expect.stringMatching(/ring\.json: missing; .*: uid \d+, mode 0555; this process: uid \d+/),
      }),
    );
  });
});

test('a ring is synced to disk before it replaces the file', async () => {
  await store.save(RING);
  const handle = await open(path);
  const prototype = Object.getPrototypeOf(handle) as { sync(): Promise<void> };
  await handle.close();
  const seen: unknown[] = [];
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: typeof handle) {
    const draft = (await readdir(folder)).find((name) => name !== 'ring.json');
    const read = async (name = '') =>
      (JSON.parse(await readFile(join(folder, name), 'utf8')) as StoredRing).lookedUpAt;
    seen.push(await read('ring.json'), await read(draft));
    await this.datasync();
  });
  onTestFinished(() => spy.mockRestore());
  await store.save({ ...RING, lookedUpAt: 42 });
  expect(seen).toEqual([0, 42]);
  expect((await store.load())?.lookedUpAt).toBe(42);
});

const start = async () => {
  const lines: string[] = [];
  const write = (line: string, context: string) => void lines.push(`${context}: ${line}`);
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({
        name: 'own',
        keyId: 'alias/auth',
        client: localKms.client(),
        rotation: { store },
      }),
    ],
  })
    .setLogger({ log: write, warn: write, error: write })
    .compile();
  onTestFinished(() => module.close());
  return { module, lines };
};

describe('in an app', () => {
  test('an unsafe file stops the start', async () => {
    await writeFile(path, JSON.stringify(RING));
    await chmod(path, 0o666);
    await expect(start()).rejects.toMatchObject(refusal(/writable by every user/));
    expect(await readFile(path, 'utf8')).toBe(JSON.stringify(RING));
  });

  test('a directory that a group can write causes one warning, which names the instance', async () => {
    await chmod(folder, 0o770);
    const { module, lines } = await start();
    await module.init();
    await module.get<KmsJwtService>('KmsJwtService:own').jwks();
    const warnings = lines.filter((line) => line.includes('writable by its group'));
    expect(warnings).toEqual([expect.stringMatching(/^KmsJwt:own: .*fsGroup/)]);
  });
});
