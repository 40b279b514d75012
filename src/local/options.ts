import { checkArray, checkChoice, checkError, checkObject, checkString } from './store/checks.js';
import { KEY_SPEC_NAMES, type LocalKmsKeySpec, type LocalKmsKeyUsage, usagesOf } from './store/key-specs.js';
import { ALIAS_NAME_PATTERN, isMultiRegion, KEY_ID_PATTERN, randomKeyId } from './store/names.js';

/** Options of {@link LocalKms}. */
export interface LocalKmsOptions {
  /** The keys that there are from the start. Default: none. */
  readonly keys?: readonly LocalKmsKeyOptions[];
  /** The Region in the ARNs. Default `'us-east-1'`. */
  readonly region?: string;
  /** The account in the ARNs: 12 digits. Default `'000000000000'`. */
  readonly accountId?: string;
  /**
   * A file that keeps the keys, their states and the aliases, so that they survive a restart. Default: none,
   * everything ends with the process.
   *
   * It holds private keys in the clear: it is written with mode 0600, and refused when others may read it.
   * Keep it out of version control. One process at a time: the last to write wins. Every entry of `keys`
   * needs an `alias` or a `keyId` then, by which it is found again after a restart; what the file has of it
   * is left as it is.
   */
  readonly file?: string;
}

/** A key that a {@link LocalKms} has from the start. */
export interface LocalKmsKeyOptions {
  /** The id: a uuid, or `mrk-` and 32 hexadecimal digits for a multi-Region key. Default: random. */
  readonly keyId?: string;
  /** An alias of the key, with or without the prefix `alias/`. Default: none. */
  readonly alias?: string;
  /** AWS's name of the kind of key. Default `'ECC_NIST_P256'`. */
  readonly keySpec?: LocalKmsKeySpec;
  /** Default: `'ENCRYPT_DECRYPT'` for `'SYMMETRIC_DEFAULT'`, `'SIGN_VERIFY'` for all others. */
  readonly keyUsage?: LocalKmsKeyUsage;
  /** Whether it is a multi-Region primary key. Default: true where `keyId` is one of those, else false. */
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
 * @throws TypeError that names the option that is unknown or wrong.
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
      "a Region, as 'us-east-1'",
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
    throw checkError(where, 'needs an alias or a keyId, or the file would get one more key at every start');
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
    'a uuid, or mrk- and 32 hexadecimal digits',
    KEY_ID_PATTERN,
  );
  if (multiRegion !== undefined && multiRegion !== isMultiRegion(id)) {
    throw checkError(`${where}.multiRegion`, `does not agree with the keyId ${id}`);
  }
  return id;
}

function resolveAlias(alias: unknown, where: string): string {
  const name = typeof alias === 'string' && !alias.startsWith('alias/') ? `alias/${alias}` : alias;
  const shape = 'letters, digits, "/", "_" and "-", and must not begin with "aws/"';
  return checkString(name, where, shape, ALIAS_NAME_PATTERN);
}

function checkUnique(names: readonly (string | undefined)[]): void {
  const given = names.filter((name) => name !== undefined);
  const twice = given.find((name, index) => given.indexOf(name) !== index);
  if (twice !== undefined) throw checkError('LocalKms option keys', `has two entries with "${twice}"`);
}
