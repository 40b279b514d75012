import { checkArray, checkChoice, checkError, checkObject, checkString } from './store/checks.js';
import { KEY_SPEC_NAMES, type LocalKmsKeySpec, type LocalKmsKeyUsage, usagesOf } from './store/key-specs.js';
import { ALIAS_NAME_PATTERN, isMultiRegion, KEY_ID_PATTERN, randomKeyId } from './store/names.js';

/**
 * Options of {@link LocalKms}.
 *
 * @example
 * ```ts
 * const options: LocalKmsOptions = {
 *   region: 'eu-west-1',
 *   keys: [{ alias: 'auth' }],
 *   file: '.local-kms.json',
 * };
 * const localKms = new LocalKms(options);
 * ```
 */
export interface LocalKmsOptions {
  /** The keys to create at the start. Default: none. */
  readonly keys?: readonly LocalKmsKeyOptions[];
  /** The Region in the ARNs. Default: `'us-east-1'`. */
  readonly region?: string;
  /** The account in the ARNs: 12 digits. Default: `'000000000000'`. */
  readonly accountId?: string;
  /**
   * The path of a file in which the keys, their states and the aliases survive a restart. Default: none, so
   * they are lost when the process ends.
   *
   * The file contains unencrypted private keys: it is written with mode 0600 and refused if other users can
   * access it. Keep it out of version control. Only one process at a time may use it: the last write wins.
   * With a file, every entry of `keys` needs an `alias` or a `keyId`, which identifies the key after a
   * restart; a key that the file already contains stays unchanged.
   */
  readonly file?: string;
}

/**
 * A key that a {@link LocalKms} creates at the start.
 *
 * @example
 * ```ts
 * const key: LocalKmsKeyOptions = { alias: 'auth', keySpec: 'ECC_NIST_P256' };
 * const localKms = new LocalKms({ keys: [key] });
 * ```
 */
export interface LocalKmsKeyOptions {
  /** The key id: a UUID, or `mrk-` and 32 hexadecimal digits for a Multi-Region key. Default: random. */
  readonly keyId?: string;
  /** An alias of the key, with or without the prefix `alias/`. Default: none. */
  readonly alias?: string;
  /** The key spec, as in CreateKey. Default: `'ECC_NIST_P256'`. */
  readonly keySpec?: LocalKmsKeySpec;
  /** The key usage, as in CreateKey. Default: `'ENCRYPT_DECRYPT'` for `'SYMMETRIC_DEFAULT'`, otherwise `'SIGN_VERIFY'`. */
  readonly keyUsage?: LocalKmsKeyUsage;
  /** Whether it is a Multi-Region primary key. Default: true if `keyId` begins with `mrk-`, otherwise false. */
  readonly multiRegion?: boolean;
}

/** {@link LocalKmsOptions}, checked and with the defaults filled in. */
export interface ResolvedOptions {
  readonly keys: readonly ResolvedKeyOptions[];
  readonly region: string;
  readonly accountId: string;
  readonly file?: string;
}

/** {@link LocalKmsKeyOptions}, checked and with the defaults filled in. */
export interface ResolvedKeyOptions {
  readonly keyId: string;
  readonly aliasName?: string;
  readonly keySpec: LocalKmsKeySpec;
  readonly keyUsage: LocalKmsKeyUsage;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError that names the unknown or invalid option
 */
export function resolveOptions(options: LocalKmsOptions): ResolvedOptions {
  const given = checkObject(options, 'LocalKms options', ['keys', 'region', 'accountId', 'file']);
  const file =
    given.file === undefined ? undefined : checkString(given.file, 'LocalKms option file', 'a path', /./);
  const keys = checkArray(given.keys ?? [], 'LocalKms option keys').map((key, index) =>
    resolveKey(key, `LocalKms option keys[${index}]`, file !== undefined),
  );
  checkUnique(keys.map((key) => key.keyId));
  checkUnique(keys.map((key) => key.aliasName));
  return {
    keys,
    region: checkString(
      given.region ?? 'us-east-1',
      'LocalKms option region',
      "a Region, such as 'us-east-1'",
      /^[a-z]+(?:-[a-z0-9]+)+$/,
    ),
    accountId: checkString(
      given.accountId ?? '000000000000',
      'LocalKms option accountId',
      'a string of 12 digits',
      /^\d{12}$/,
    ),
    file,
  };
}

function resolveKey(options: unknown, where: string, needsName: boolean): ResolvedKeyOptions {
  const key = checkObject(options, where, ['keyId', 'alias', 'keySpec', 'keyUsage', 'multiRegion']);
  if (needsName && key.alias === undefined && key.keyId === undefined) {
    throw checkError(
      where,
      'needs an alias or a keyId: without either, every start would add another key to the file',
    );
  }
  const keySpec = checkChoice(key.keySpec ?? 'ECC_NIST_P256', `${where}.keySpec`, KEY_SPEC_NAMES);
  const usages = usagesOf(keySpec);
  return {
    keyId: resolveKeyId(key.keyId, key.multiRegion, where),
    aliasName: key.alias === undefined ? undefined : resolveAlias(key.alias, `${where}.alias`),
    keySpec,
    keyUsage: checkChoice(key.keyUsage ?? usages[0], `${where}.keyUsage`, usages),
  };
}

function resolveKeyId(keyId: unknown, multiRegion: unknown, where: string): string {
  if (multiRegion !== undefined && typeof multiRegion !== 'boolean') {
    throw checkError(`${where}.multiRegion`, 'must be true or false');
  }
  if (keyId === undefined) return randomKeyId(multiRegion === true);

  const id = checkString(
    keyId,
    `${where}.keyId`,
    'a UUID, or mrk- and 32 hexadecimal digits',
    KEY_ID_PATTERN,
  );
  if (multiRegion !== undefined && multiRegion !== isMultiRegion(id)) {
    throw checkError(`${where}.multiRegion`, `does not agree with the keyId ${id}`);
  }
  return id;
}

function resolveAlias(alias: unknown, where: string): string {
  const name = typeof alias === 'string' && !alias.startsWith('alias/') ? `alias/${alias}` : alias;
  const shape = 'a string of letters, digits, "/", "_" and "-" that does not begin with "aws/"';
  return checkString(name, where, shape, ALIAS_NAME_PATTERN);
}

function checkUnique(names: readonly (string | undefined)[]): void {
  const given = names.filter((name) => name !== undefined);
  const twice = given.find((name, index) => given.indexOf(name) !== index);
  if (twice !== undefined) throw checkError('LocalKms option keys', `has two entries with "${twice}"`);
}
