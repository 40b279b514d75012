import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtRingStore, StoredRing } from '../options/rotation.options.js';

const OWNER_ONLY = 0o600;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_ALL = 0o002;
const PERMISSIONS = 0o7777;
/** A write that takes longer has failed: `limits.timeout` is shorter. */
const ABANDONED_AFTER_MS = 3_600_000;
const UUID_AT_END = /\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * Stores the keys of a rotation in a file with mode 0600. Each write goes to a temporary file that then replaces the old one,
 * so that no reader sees an incomplete file, and a power failure does not leave one. A file with invalid content is kept: before
 * it is replaced, `ring.json` is renamed to `ring.json.<milliseconds since 1970>.invalid`.
 *
 * Anyone who can write to the file can make the service accept forged tokens. A file or directory that every user can write to,
 * or that belongs to neither root nor the user of this process, is refused at start; for one that its group can write to, a
 * warning is logged. A directory, a pipe, a socket or a device instead of the file is refused without being opened.
 *
 * @example
 * ```ts
 * KmsJwtModule.forRoot({ keyId: 'alias/auth', rotation: { store: new FileRingStore('/var/lib/my-app/ring.json') } });
 * ```
 */
export class FileRingStore implements KmsJwtRingStore {
  /** A safety problem that is not serious enough to refuse the file or its directory; undefined if there is none. Set by `load`. */
  warning: string | undefined;

  /**
   * @param path the path of the file
   * @param now returns milliseconds since 1970, for tests. Default: `Date.now`
   */
  constructor(
    private readonly path: string,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Reads the file. Returns undefined if there is none.
   *
   * @throws KmsJwtOptionsError if others could have written the file, or if it is not a file
   * @throws SyntaxError if it is not JSON; the error of the file system if it cannot be read
   */
  async load(): Promise<StoredRing | undefined> {
    try {
      const ofLink = await this.checkDirectoryOf(this.path);
      this.warning = ofLink;
      // The file that a symbolic link leads to is the ring: its directory counts as well.
      const ofTarget = await this.checkDirectoryOf(await realpath(this.path));
      this.warning = ofLink ?? ofTarget;
      await this.refuseOtherThanFile();
      // Without O_NONBLOCK, opening a pipe that has just replaced the file would wait for its other end.
      const file = await open(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const fileWarning = this.check(this.path, await file.stat());
        this.warning ??= fileWarning;
        return JSON.parse(await file.readFile('utf8')) as StoredRing;
      } finally {
        await file.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw await this.withOwners(error);
    }
  }

  /**
   * Renames the file: appends the time and `.invalid` to its name.
   *
   * @throws KmsJwtOptionsError if it is not a file
   */
  async setAside(): Promise<void> {
    await this.refuseOtherThanFile();
    await rename(this.path, `${this.path}.${this.now()}.invalid`);
  }

  /**
   * Replaces the file.
   *
   * @throws KmsJwtOptionsError if the path is not that of a file; the error of the file system if it cannot be written
   */
  async save(ring: StoredRing): Promise<void> {
    const draft = `${this.path}.${randomUUID()}`;
    try {
      await this.refuseOtherThanFile();
      await this.removeAbandonedDrafts();
      const file = await open(draft, 'wx', OWNER_ONLY);
      try {
        await file.writeFile(JSON.stringify(ring, undefined, 2));
        // The umask may have taken permissions away.
        await file.chmod(OWNER_ONLY);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.path);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined);
      throw await this.withOwners(error);
    }
  }

  /** Removes the drafts of processes that were killed while they wrote. */
  private async removeAbandonedDrafts(): Promise<void> {
    const directory = dirname(this.path);
    const isDraft = (name: string) => name.startsWith(`${basename(this.path)}.`) && UUID_AT_END.test(name);
    for (const name of (await readdir(directory)).filter(isDraft)) {
      const draft = join(directory, name);
      const { mtimeMs } = await stat(draft).catch(() => ({ mtimeMs: Infinity }));
      if (mtimeMs < this.now() - ABANDONED_AFTER_MS) await rm(draft, { force: true });
    }
  }

  private async checkDirectoryOf(path: string): Promise<string | undefined> {
    const directory = dirname(path);
    return this.check(directory, await stat(directory));
  }

  private async refuseOtherThanFile(): Promise<void> {
    const stats = await stat(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (!stats || stats.isFile()) return;
    throw new KmsJwtOptionsError(
      'rotation.store',
      `is not safe: ${this.path} is not a file: remove it, or name another path`,
    );
  }

  /**
   * @returns a warning
   * @throws KmsJwtOptionsError if others can write the file or directory
   */
  private check(path: string, stats: Stats): string | undefined {
    const user = process.geteuid?.();
    // Windows has other permissions.
    if (user === undefined) return undefined;
    const reason = `(${ownerOf(stats)}; this process: uid ${user}): a user who can write to it can forge tokens`;
    if (stats.mode & WRITABLE_BY_ALL) {
      throw new KmsJwtOptionsError(
        'rotation.store',
        `is not safe: ${path} is writable by every user ${reason}`,
      );
    }
    if (stats.uid !== 0 && stats.uid !== user) {
      throw new KmsJwtOptionsError(
        'rotation.store',
        `is not safe: ${path} belongs to another user ${reason}`,
      );
    }
    if (!(stats.mode & WRITABLE_BY_GROUP)) return undefined;
    return `rotation.store: ${path} is writable by its group ${reason}. With fsGroup, no other pod should have that group`;
  }

  /** Adds the owners and modes of the file and its directory to an error of the file system. */
  private async withOwners(error: unknown): Promise<unknown> {
    if (!(error instanceof Error) || typeof (error as NodeJS.ErrnoException).code !== 'string') return error;
    if (error instanceof KmsJwtOptionsError) return error;
    const paths = [this.path, dirname(this.path)];
    const owners = await Promise.all(
      paths.map(async (path) => `${path}: ${await stat(path).then(ownerOf, () => 'missing')}`),
    );
    error.message += ` (${owners.join('; ')}; this process: uid ${process.geteuid?.() ?? 'unknown'})`;
    return error;
  }
}

function ownerOf({ uid, mode }: Stats): string {
  return `uid ${uid}, mode 0${(mode & PERMISSIONS).toString(8).padStart(3, '0')}`;
}
