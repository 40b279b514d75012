import type { KeyStore } from '../store/key-store.js';
import { createAlias, deleteAlias, listAliases, updateAlias } from './alias-operations.js';
import type { Input } from './input.js';
import {
  cancelKeyDeletion,
  createKey,
  describeKey,
  disableKey,
  enableKey,
  getPublicKey,
  listKeys,
  scheduleKeyDeletion,
} from './key-operations.js';
import type { Output } from './output.js';
import { sign, verify } from './signing-operations.js';

/** Reads its input, works on the keys, and returns its output. @throws KmsError */
type Operation = (store: KeyStore, input: Input) => Output;

/**
 * An operation of AWS KMS that LocalKms supports.
 *
 * @example
 * ```ts
 * const operation: LocalKmsOperation = 'GetPublicKey';
 * localKms.inject({ kind: 'throttle', operation });
 * const requests = localKms.calls[operation];
 * ```
 */
export type LocalKmsOperation =
  | 'CancelKeyDeletion'
  | 'CreateAlias'
  | 'CreateKey'
  | 'DeleteAlias'
  | 'DescribeKey'
  | 'DisableKey'
  | 'EnableKey'
  | 'GetPublicKey'
  | 'ListAliases'
  | 'ListKeys'
  | 'ScheduleKeyDeletion'
  | 'Sign'
  | 'UpdateAlias'
  | 'Verify';

export const OPERATIONS: Readonly<Record<LocalKmsOperation, Operation>> = {
  CancelKeyDeletion: cancelKeyDeletion,
  CreateAlias: createAlias,
  CreateKey: createKey,
  DeleteAlias: deleteAlias,
  DescribeKey: describeKey,
  DisableKey: disableKey,
  EnableKey: enableKey,
  GetPublicKey: getPublicKey,
  ListAliases: listAliases,
  ListKeys: listKeys,
  ScheduleKeyDeletion: scheduleKeyDeletion,
  Sign: sign,
  UpdateAlias: updateAlias,
  Verify: verify,
};

export const OPERATION_NAMES = Object.keys(OPERATIONS) as LocalKmsOperation[];
