import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { checkArray, checkChoice, checkError, checkObject, checkString } from './checks.js';
import type { KeyPair } from './key-pairs/key-pair.js';
import { KEY_SPEC_NAMES, KEY_SPECS, type LocalKmsKeySpec, usagesOf } from './key-specs.js';
import type { KeyStore, StoredAlias, StoredKey } from './key-store.js';
import { ALIAS_NAME_PATTERN, KEY_ID_PATTERN } from './names.js';

/** The ending of a draft, after the name of the key file: the id of the process that writes it, and a UUID. */
const DRAFT_ENDING = /^\.(\d+)\.[\da-f-]{36}\.tmp$/;

/** The contents of a key file. */
export interface KeyFileContents {
  readonly keys: readonly StoredKey[];
  readonly aliases: readonly StoredAlias[];
}

/**
 * Writes the keys and aliases to the file, readable by its owner only. The file is replaced atomically: a
 * concurrent reader gets either the old contents or the new. Drafts of processes that were killed are removed.
 */
export function writeKeyFile(path: string, { keys, aliases }: KeyStore): void {
  const contents = {
    version: 1,
    keys: keys.map(({ keyPair, ...key }) => ({ ...key, privateKey: keyPair?.pem() })),
    aliases,
  };
  removeAbandonedDrafts(path);
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(contents, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `LocalKms cannot write the key file ${path} (${code}): check that its folder exists and can be written to`,
      { cause: error },
    );
  }
}

/** Removes the drafts of processes that were killed while they wrote: they contain private keys. */
function removeAbandonedDrafts(path: string): void {
  const [directory, name] = [dirname(path), basename(path)];
  try {
    for (const entry of readdirSync(directory).filter((each) => each.startsWith(name))) {
      const [, writer] = DRAFT_ENDING.exec(entry.slice(name.length)) ?? [];
      if (writer !== undefined && !isWriting(Number(writer))) rmSync(join(directory, entry), { force: true });
    }
  } catch {
    // The directory cannot be read or written: the keys may still be usable.
  }
}

/** A write is synchronous, so this process is not writing: a draft with its id is from an earlier process. */
function isWriting(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Reads the file; undefined if it does not exist. Drafts of processes that were killed are removed.
 *
 * @throws Error if the file is invalid, or if anyone but its owner can read or write it
 */
export function readKeyFile(path: string): KeyFileContents | undefined {
  removeAbandonedDrafts(path);
  try {
    const json = readPrivately(path);
    return json === undefined ? undefined : parse(json);
  } catch (error) {
    throw new Error(`LocalKms cannot use the key file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function readPrivately(path: string): string | undefined {
  const descriptor = openIfExists(path);
  if (descriptor === undefined) return undefined;
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('it is not a file');
    const mode = stats.mode & 0o777;
    // Windows has no such permissions; Node reports 666 there.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new Error(
        `it holds private keys, and other users can access it (mode ${mode.toString(8)}). ` +
          'Delete it to create new keys, or run chmod 600 on it.',
      );
    }
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function openIfExists(path: string): number | undefined {
  try {
    // Without O_NONBLOCK, opening a pipe stops the process until its other end is opened.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(json: string): KeyFileContents {
  const file = checkObject(parseJson(json), 'the file', ['version', 'keys', 'aliases']);
  if (file.version !== 1) throw checkError('version', 'must be 1');
  const keys = checkArray(file.keys, 'keys').map((key, index) => parseKey(key, `keys[${index}]`));
  const keyIds = keys.map((key) => key.keyId);
  const aliases = checkArray(file.aliases, 'aliases').map((alias, index) =>
    parseAlias(alias, `aliases[${index}]`, keyIds),
  );
  return { keys, aliases };
}

/** The message of `JSON.parse` would quote the file, which may contain a private key. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new Error('it is not valid JSON');
  }
}

function parseKey(value: unknown, where: string): StoredKey {
  const key = checkObject(value, where, [
    'keyId',
    'keySpec',
    'keyUsage',
    'description',
    'creationDate',
    'keyState',
    'deletionDate',
    'privateKey',
  ]);
  const keySpec = checkChoice(key.keySpec, `${where}.keySpec`, KEY_SPEC_NAMES);
  return {
    keyId: checkString(key.keyId, `${where}.keyId`, 'a key id', KEY_ID_PATTERN),
    keySpec,
    keyUsage: checkChoice(key.keyUsage, `${where}.keyUsage`, usagesOf(keySpec)),
    description: checkString(key.description, `${where}.description`, 'a string'),
    creationDate: checkDate(key.creationDate, `${where}.creationDate`),
    keyState: checkChoice(key.keyState, `${where}.keyState`, ['Enabled', 'Disabled', 'PendingDeletion']),
    deletionDate:
      key.deletionDate === undefined ? undefined : checkDate(key.deletionDate, `${where}.deletionDate`),
    keyPair: checkPrivateKey(key.privateKey, `${where}.privateKey`, keySpec),
  };
}

function parseAlias(value: unknown, where: string, keyIds: readonly string[]): StoredAlias {
  const alias = checkObject(value, where, ['aliasName', 'targetKeyId', 'creationDate', 'lastUpdatedDate']);
  return {
    aliasName: checkString(alias.aliasName, `${where}.aliasName`, 'the name of an alias', ALIAS_NAME_PATTERN),
    targetKeyId: checkChoice(alias.targetKeyId, `${where}.targetKeyId`, keyIds),
    creationDate: checkDate(alias.creationDate, `${where}.creationDate`),
    lastUpdatedDate: checkDate(alias.lastUpdatedDate, `${where}.lastUpdatedDate`),
  };
}

function checkPrivateKey(pem: unknown, where: string, keySpec: LocalKmsKeySpec): KeyPair | undefined {
  const { keyPairs } = KEY_SPECS[keySpec];
  if (keyPairs === undefined) return undefined;
  const keyPair = keyPairs.read(
    checkString(pem, where, 'a private key in PEM', /^-----BEGIN PRIVATE KEY-----/),
  );
  if (keyPair === undefined) throw checkError(where, `must be a key of spec ${keySpec}`);
  return keyPair;
}

function checkDate(value: unknown, where: string): Date {
  const date = new Date(checkString(value, where, 'a date'));
  if (Number.isNaN(date.getTime())) throw checkError(where, 'must be a date');
  return date;
}
