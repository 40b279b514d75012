import type { KeyPair } from './key-pairs/key-pair.js';
import { KEY_SPECS, type LocalKmsKeySpec, type LocalKmsKeyUsage } from './key-specs.js';
import { KmsError } from './kms-error.js';
import { KEY_ID_PATTERN } from './names.js';

/**
 * The state of a key: the `KeyState` of DescribeKey.
 *
 * @example
 * ```ts
 * const state: LocalKmsKeyState | undefined = localKms.keys[0]?.keyState;
 * ```
 */
export type LocalKmsKeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

/** A key with its private half. */
export interface StoredKey {
  readonly keyId: string;
  readonly keySpec: LocalKmsKeySpec;
  readonly keyUsage: LocalKmsKeyUsage;
  readonly description: string;
  readonly creationDate: Date;
  keyState: LocalKmsKeyState;
  /** Present if the key is pending deletion. */
  deletionDate?: Date;
  /** Absent in a symmetric key. */
  readonly keyPair?: KeyPair;
}

/** An alias and the key it refers to. */
export interface StoredAlias {
  readonly aliasName: string;
  readonly creationDate: Date;
  targetKeyId: string;
  lastUpdatedDate: Date;
}

/** The keys and aliases of one account in one Region. */
export class KeyStore {
  private readonly keysById: Map<string, StoredKey>;
  private readonly aliasesByName: Map<string, StoredAlias>;

  /** @param changed called after every change */
  constructor(
    readonly region: string,
    readonly accountId: string,
    private readonly changed: (store: KeyStore) => void,
    contents: { readonly keys: readonly StoredKey[]; readonly aliases: readonly StoredAlias[] } = {
      keys: [],
      aliases: [],
    },
  ) {
    this.keysById = new Map(contents.keys.map((key) => [key.keyId, key]));
    this.aliasesByName = new Map(contents.aliases.map((alias) => [alias.aliasName, alias]));
  }

  get keys(): StoredKey[] {
    return [...this.keysById.values()];
  }

  get aliases(): StoredAlias[] {
    return [...this.aliasesByName.values()];
  }

  keyArn(keyId: string): string {
    return this.arn(`key/${keyId}`);
  }

  aliasArn(aliasName: string): string {
    return this.arn(aliasName);
  }

  hasKey(keyId: string): boolean {
    return this.keysById.has(keyId);
  }

  hasAlias(aliasName: string): boolean {
    return this.aliasesByName.has(aliasName);
  }

  /**
   * The key that a key id, key ARN, alias name or alias ARN refers to.
   *
   * @throws KmsError NotFoundException
   */
  find(identifier: string): StoredKey {
    const name = this.withoutArn(identifier);
    return name.startsWith('alias/') ? this.findById(this.findAlias(name).targetKeyId) : this.findById(name);
  }

  /**
   * The key that a key id or key ARN refers to, for operations that accept no alias.
   *
   * @throws KmsError NotFoundException
   */
  findWithoutAlias(identifier: string): StoredKey {
    return this.findById(this.withoutArn(identifier));
  }

  /** @throws KmsError NotFoundException */
  findAlias(aliasName: string): StoredAlias {
    const alias = this.aliasesByName.get(aliasName);
    if (alias === undefined) throw notFound(`Alias ${this.aliasArn(aliasName)} is not found.`);
    return alias;
  }

  createKey(key: Pick<StoredKey, 'keyId' | 'keySpec' | 'keyUsage'>, description = ''): StoredKey {
    const created: StoredKey = {
      ...key,
      description,
      creationDate: new Date(),
      keyState: 'Enabled',
      keyPair: KEY_SPECS[key.keySpec].keyPairs?.generate(),
    };
    this.keysById.set(key.keyId, created);
    this.changed(this);
    return created;
  }

  setState(key: StoredKey, keyState: LocalKmsKeyState, deletionDate?: Date): void {
    key.keyState = keyState;
    key.deletionDate = deletionDate;
    this.changed(this);
  }

  createAlias(aliasName: string, key: StoredKey): void {
    const now = new Date();
    this.aliasesByName.set(aliasName, {
      aliasName,
      targetKeyId: key.keyId,
      creationDate: now,
      lastUpdatedDate: now,
    });
    this.changed(this);
  }

  moveAlias(alias: StoredAlias, key: StoredKey): void {
    alias.targetKeyId = key.keyId;
    alias.lastUpdatedDate = new Date();
    this.changed(this);
  }

  deleteAlias(alias: StoredAlias): void {
    this.aliasesByName.delete(alias.aliasName);
    this.changed(this);
  }

  private findById(keyId: string): StoredKey {
    if (!KEY_ID_PATTERN.test(keyId)) throw notFound(`Invalid keyId '${keyId}'`);
    const key = this.keysById.get(keyId);
    if (key === undefined) throw notFound(`Key '${this.keyArn(keyId)}' does not exist`);
    return key;
  }

  /** The resource of an ARN of this Region and account: `alias/…` or a key id. Returns anything else unchanged. */
  private withoutArn(identifier: string): string {
    if (!identifier.startsWith('arn:')) return identifier;
    const [, region, accountId, resource] =
      /^arn:aws[a-z-]*:kms:([^:]+):([^:]+):(.+)$/.exec(identifier) ?? [];
    if (resource === undefined) throw notFound(`Invalid arn ${identifier}`);
    if (region !== this.region) throw notFound(`Invalid arn ${region}`);
    if (accountId !== this.accountId) throw notFound(`Key '${identifier}' does not exist`);
    return resource.startsWith('key/') ? resource.slice('key/'.length) : resource;
  }

  private arn(resource: string): string {
    return `arn:aws:kms:${this.region}:${this.accountId}:${resource}`;
  }
}

function notFound(message: string): KmsError {
  return new KmsError('NotFoundException', message);
}
