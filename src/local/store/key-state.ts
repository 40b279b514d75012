import type { KeyStore, StoredKey } from './key-store.js';
import { KmsError } from './kms-error.js';

/** @throws KmsError KMSInvalidStateException if the key is pending deletion */
export function checkNotPendingDeletion(store: KeyStore, key: StoredKey): void {
  if (key.keyState !== 'PendingDeletion') return;
  throw new KmsError('KMSInvalidStateException', `${store.keyArn(key.keyId)} is pending deletion.`);
}

/** @throws KmsError KMSInvalidStateException if the key is pending deletion, DisabledException if it is disabled */
export function checkUsable(store: KeyStore, key: StoredKey): void {
  checkNotPendingDeletion(store, key);
  if (key.keyState !== 'Disabled') return;
  throw new KmsError('DisabledException', `${store.keyArn(key.keyId)} is disabled.`);
}
