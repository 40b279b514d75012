import { KeySpec, KeyUsageType } from '@aws-sdk/client-kms';
import {
  algorithmsOf,
  KEY_SPEC_NAMES,
  type LocalKmsKeySpec,
  type LocalKmsKeyUsage,
  usagesOf,
} from '../store/key-specs.js';
import { checkNotPendingDeletion, checkUsable } from '../store/key-state.js';
import type { KeyStore, StoredKey } from '../store/key-store.js';
import { KmsError } from '../store/kms-error.js';
import { isMultiRegion, randomKeyId } from '../store/names.js';
import {
  flag,
  type Input,
  optionalChoice,
  optionalInteger,
  optionalString,
  requiredString,
  validationError,
} from './input.js';
import { base64, type Output, seconds } from './output.js';
import { page } from './page.js';

const MILLISECONDS_PER_DAY = 86_400_000;

export function createKey(store: KeyStore, input: Input): Output {
  const keySpec = readKeySpec(input);
  const keyUsage = readKeyUsage(input, keySpec);
  const description = optionalString(input, 'Description', 8192, 0);
  const keyId = randomKeyId(flag(input, 'MultiRegion'));
  return { KeyMetadata: metadata(store, store.createKey({ keyId, keySpec, keyUsage }, description)) };
}

export function describeKey(store: KeyStore, input: Input): Output {
  return { KeyMetadata: metadata(store, store.find(requiredString(input, 'KeyId'))) };
}

export function getPublicKey(store: KeyStore, input: Input): Output {
  const key = store.find(requiredString(input, 'KeyId'));
  const arn = store.keyArn(key.keyId);
  if (key.keyPair === undefined) {
    throw new KmsError('UnsupportedOperationException', `${arn} is symmetric: it has no public key.`);
  }
  checkUsable(store, key);
  return {
    KeyId: arn,
    PublicKey: base64(key.keyPair.spki()),
    ...kind(key),
  };
}

export function listKeys(store: KeyStore, input: Input): Output {
  const { items, rest } = page(store.keys, (key) => key.keyId, input, { default: 100, max: 1000 });
  return { Keys: items.map(({ keyId }) => ({ KeyId: keyId, KeyArn: store.keyArn(keyId) })), ...rest };
}

export function enableKey(store: KeyStore, input: Input): Output {
  const key = store.findWithoutAlias(requiredString(input, 'KeyId'));
  checkNotPendingDeletion(store, key);
  store.setState(key, 'Enabled');
}

export function disableKey(store: KeyStore, input: Input): Output {
  const key = store.findWithoutAlias(requiredString(input, 'KeyId'));
  checkNotPendingDeletion(store, key);
  store.setState(key, 'Disabled');
}

export function scheduleKeyDeletion(store: KeyStore, input: Input): Output {
  const days = optionalInteger(input, 'PendingWindowInDays', 7, 30) ?? 30;
  const key = store.findWithoutAlias(requiredString(input, 'KeyId'));
  checkNotPendingDeletion(store, key);
  const deletionDate = new Date(Date.now() + days * MILLISECONDS_PER_DAY);
  store.setState(key, 'PendingDeletion', deletionDate);
  return {
    KeyId: store.keyArn(key.keyId),
    DeletionDate: seconds(deletionDate),
    KeyState: key.keyState,
    PendingWindowInDays: days,
  };
}

export function cancelKeyDeletion(store: KeyStore, input: Input): Output {
  const key = store.findWithoutAlias(requiredString(input, 'KeyId'));
  const arn = store.keyArn(key.keyId);
  if (key.keyState !== 'PendingDeletion') {
    throw new KmsError('KMSInvalidStateException', `${arn} is not pending deletion.`);
  }
  store.setState(key, 'Disabled');
  return { KeyId: arn };
}

function readKeySpec(input: Input): LocalKmsKeySpec {
  const known = Object.values(KeySpec);
  const keySpec =
    optionalChoice(input, 'KeySpec', known) ??
    optionalChoice(input, 'CustomerMasterKeySpec', known) ??
    'SYMMETRIC_DEFAULT';
  const found = KEY_SPEC_NAMES.find((name) => name === keySpec);
  if (found === undefined) {
    throw new KmsError(
      'UnsupportedOperationException',
      `LocalKms does not support ${keySpec}; it supports ${KEY_SPEC_NAMES.join(', ')}.`,
    );
  }
  return found;
}

function readKeyUsage(input: Input, keySpec: LocalKmsKeySpec): LocalKmsKeyUsage {
  const keyUsage = optionalChoice(input, 'KeyUsage', Object.values(KeyUsageType));
  if (keyUsage === undefined && keySpec !== 'SYMMETRIC_DEFAULT') {
    throw validationError(
      'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    );
  }
  const usages = usagesOf(keySpec);
  const found = usages.find((usage) => usage === (keyUsage ?? usages[0]));
  if (found === undefined) {
    throw validationError(`KeyUsage ${keyUsage} is not compatible with KeySpec ${keySpec}`);
  }
  return found;
}

function metadata(store: KeyStore, key: StoredKey): Record<string, unknown> {
  const arn = store.keyArn(key.keyId);
  return {
    AWSAccountId: store.accountId,
    KeyId: key.keyId,
    Arn: arn,
    CreationDate: seconds(key.creationDate),
    Enabled: key.keyState === 'Enabled',
    Description: key.description,
    KeyState: key.keyState,
    DeletionDate: key.deletionDate && seconds(key.deletionDate),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    ...kind(key),
    ...multiRegion(store, key),
  };
}

/** The members that DescribeKey and GetPublicKey share. `CustomerMasterKeySpec` is the old name of `KeySpec`. */
function kind(key: StoredKey): Record<string, unknown> {
  const algorithms = key.keyUsage === 'SIGN_VERIFY' ? 'SigningAlgorithms' : 'EncryptionAlgorithms';
  return {
    KeySpec: key.keySpec,
    CustomerMasterKeySpec: key.keySpec,
    KeyUsage: key.keyUsage,
    [algorithms]: algorithmsOf(key.keySpec, key.keyUsage),
  };
}

function multiRegion(store: KeyStore, key: StoredKey): Record<string, unknown> {
  if (!isMultiRegion(key.keyId)) return { MultiRegion: false };
  return {
    MultiRegion: true,
    MultiRegionConfiguration: {
      MultiRegionKeyType: 'PRIMARY',
      PrimaryKey: { Arn: store.keyArn(key.keyId), Region: store.region },
      ReplicaKeys: [],
    },
  };
}
