import { checkNotPendingDeletion } from '../store/key-state.js';
import type { KeyStore, StoredKey } from '../store/key-store.js';
import { KmsError } from '../store/kms-error.js';
import { ALIAS_NAME_PATTERN } from '../store/names.js';
import { type Input, optionalString, requiredString, validationError } from './input.js';
import { type Output, seconds } from './output.js';
import { page } from './page.js';

export function createAlias(store: KeyStore, input: Input): Output {
  const aliasName = readNewAliasName(input);
  const key = readTarget(store, input);
  if (store.hasAlias(aliasName)) {
    throw new KmsError(
      'AlreadyExistsException',
      `An alias with the name ${store.aliasArn(aliasName)} already exists`,
    );
  }
  store.createAlias(aliasName, key);
}

export function updateAlias(store: KeyStore, input: Input): Output {
  const alias = store.findAlias(requiredString(input, 'AliasName', 256));
  const next = readTarget(store, input);
  const current = store.find(alias.targetKeyId);
  if (next.keyUsage !== current.keyUsage || isSymmetric(next) !== isSymmetric(current)) {
    throw validationError(
      `${alias.aliasName} cannot move from ${describe(current)} to ${describe(next)}: ` +
        'both must be symmetric or both asymmetric, with the same key usage.',
    );
  }
  store.moveAlias(alias, next);
}

export function deleteAlias(store: KeyStore, input: Input): Output {
  store.deleteAlias(store.findAlias(requiredString(input, 'AliasName', 256)));
}

export function listAliases(store: KeyStore, input: Input): Output {
  const keyId = optionalString(input, 'KeyId', 2048);
  const key = keyId === undefined ? undefined : store.findWithoutAlias(keyId);
  const all = store.aliases.filter((alias) => key === undefined || alias.targetKeyId === key.keyId);
  const { items, rest } = page(all, (alias) => alias.aliasName, input, { default: 50, max: 100 });
  return {
    Aliases: items.map((alias) => ({
      AliasName: alias.aliasName,
      AliasArn: store.aliasArn(alias.aliasName),
      TargetKeyId: alias.targetKeyId,
      CreationDate: seconds(alias.creationDate),
      LastUpdatedDate: seconds(alias.lastUpdatedDate),
    })),
    ...rest,
  };
}

function readNewAliasName(input: Input): string {
  const aliasName = requiredString(input, 'AliasName', 256);
  if (!aliasName.startsWith('alias/')) {
    throw validationError(
      'Alias must start with the prefix "alias/". Please see ' +
        'https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    );
  }
  if (aliasName.startsWith('alias/aws/')) throw new KmsError('NotAuthorizedException', '');
  if (ALIAS_NAME_PATTERN.test(aliasName)) return aliasName;
  throw validationError(
    `1 validation error detected: Value '${aliasName}' at 'aliasName' failed to satisfy constraint: ` +
      'Member must satisfy regular expression pattern: ^[a-zA-Z0-9/_-]+$',
  );
}

function readTarget(store: KeyStore, input: Input): StoredKey {
  const target = requiredString(input, 'TargetKeyId');
  if (target.includes('alias/')) throw validationError('Aliases must refer to keys. Not aliases');
  const key = store.findWithoutAlias(target);
  checkNotPendingDeletion(store, key);
  return key;
}

function isSymmetric(key: StoredKey): boolean {
  return key.keyPair === undefined;
}

function describe(key: StoredKey): string {
  return `a key of spec ${key.keySpec} and usage ${key.keyUsage}`;
}
