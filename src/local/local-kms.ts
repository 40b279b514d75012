import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import { Faults, type LocalKmsFault, type LocalKmsInjectedFault } from './faults/faults.js';
import { LocalRequestHandler } from './http/request-handler.js';
import { listen, type LocalKmsServer } from './http/server.js';
import { Wire } from './http/wire.js';
import type { LocalKmsOperation } from './operations/operations.js';
import { type LocalKmsOptions, type ResolvedKeyOptions, resolveOptions } from './options.js';
import { readKeyFile, writeKeyFile } from './store/key-file.js';
import type { LocalKmsKeySpec, LocalKmsKeyUsage } from './store/key-specs.js';
import { KeyStore, type LocalKmsKeyState } from './store/key-store.js';

/**
 * A snapshot of a key in a {@link LocalKms}.
 *
 * @example
 * ```ts
 * const [key]: readonly LocalKmsKey[] = localKms.keys;
 * expect(key).toMatchObject({ keyState: 'Enabled', aliases: [{ aliasName: 'alias/auth' }] });
 * ```
 */
export interface LocalKmsKey {
  /** The key id: a UUID, or `mrk-` and 32 hexadecimal digits for a Multi-Region key. */
  readonly keyId: string;
  /** The key ARN: the `KeyId` in the responses of KMS. */
  readonly arn: string;
  /** The key spec, as in CreateKey. */
  readonly keySpec: LocalKmsKeySpec;
  /** The key usage, as in CreateKey. */
  readonly keyUsage: LocalKmsKeyUsage;
  /** The key state, as in DescribeKey. */
  readonly keyState: LocalKmsKeyState;
  /** The aliases that refer to the key. */
  readonly aliases: readonly { readonly aliasName: string; readonly aliasArn: string }[];
}

/**
 * An in-process AWS KMS for development and tests: real keys, real signatures, the responses and errors of AWS
 * KMS, and faults on demand. It needs no network, no credentials and no AWS account.
 *
 * It supports what is needed to sign tokens: keys and their states, aliases, public keys, and Sign and Verify with every
 * {@link LocalKmsKeySpec}. It checks neither credentials nor policies, and never deletes a key that is pending
 * deletion. Encryption keys exist so that an app's handling of an unsuitable key can be tested: they cannot encrypt.
 * Rely on exception names rather than messages: not every message of AWS is documented.
 *
 * @example
 * ```ts
 * // In a test
 * const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
 * KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() });
 * ```
 *
 * @example
 * ```ts
 * // In development, for an app that creates its own KMSClient
 * const localKms = new LocalKms({ keys: [{ alias: 'auth' }], file: '.local-kms.json' });
 * const { url } = await localKms.listen();
 * process.env.AWS_ENDPOINT_URL_KMS = url;
 * ```
 */
export class LocalKms {
  private readonly store: KeyStore;
  private readonly faults = new Faults();
  private readonly wire: Wire;

  /**
   * @param options default: no keys, nothing kept in a file
   * @throws TypeError that names the unknown or invalid option
   * @throws Error if `NODE_ENV` is `production` or `prod`, in upper or lower case; if the file is invalid or accessible to other
   * users
   *
   * @example
   * ```ts
   * const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
   * ```
   */
  constructor(options: LocalKmsOptions = {}) {
    refuseProduction();
    const { keys, region, accountId, file } = resolveOptions(options);
    this.store =
      file === undefined
        ? new KeyStore(region, accountId, () => {})
        : new KeyStore(region, accountId, (store) => writeKeyFile(file, store), readKeyFile(file));
    for (const key of keys) ensureKey(this.store, key);
    this.wire = new Wire(this.store, this.faults);
  }

  /**
   * The keys, oldest first. Each call returns a new snapshot.
   *
   * @example
   * ```ts
   * const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
   * const arn = localKms.keys[0]?.arn;
   * ```
   */
  get keys(): readonly LocalKmsKey[] {
    const { keys, aliases } = this.store;
    return keys.map(({ keyId, keySpec, keyUsage, keyState }) => ({
      keyId,
      arn: this.store.keyArn(keyId),
      keySpec,
      keyUsage,
      keyState,
      aliases: aliases
        .filter((alias) => alias.targetKeyId === keyId)
        .map(({ aliasName }) => ({ aliasName, aliasArn: this.store.aliasArn(aliasName) })),
    }));
  }

  /**
   * The number of requests received since the start or {@link resetCalls}, by operation. Every attempt of the
   * SDK counts, including those that failed.
   *
   * @example
   * ```ts
   * await jwt.sign({ sub: 'user-42' });
   * expect(localKms.calls.Sign).toBe(1);
   * ```
   */
  get calls(): Readonly<Record<LocalKmsOperation, number>> {
    return { ...this.wire.calls };
  }

  /**
   * Sets all {@link calls} to 0.
   *
   * @example
   * ```ts
   * beforeEach(() => localKms.resetCalls());
   * ```
   */
  resetCalls(): void {
    this.wire.resetCalls();
  }

  /**
   * A client of `@aws-sdk/client-kms` whose requests go to this LocalKms instead of the network.
   * Serialization, request signing, retries and errors are those of the SDK.
   *
   * @param config further configuration, such as `maxAttempts`. Default: the Region of this LocalKms and dummy
   * credentials
   *
   * @example
   * ```ts
   * const client = localKms.client({ maxAttempts: 1 });
   * const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: 'alias/auth' }));
   * ```
   */
  client(config: Omit<KMSClientConfig, 'requestHandler'> = {}): KMSClient {
    return new KMSClient({
      region: this.store.region,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      ...config,
      requestHandler: new LocalRequestHandler(this.wire),
    });
  }

  /**
   * Serves this LocalKms over HTTP on 127.0.0.1, for SDKs in any language: set `AWS_ENDPOINT_URL_KMS` to the
   * server's `url`. Credentials are not checked, so any program that can reach the port can use the keys.
   *
   * @param port default: 0, which picks a free port
   * @throws Error, as a rejection, if the port is in use or out of range
   *
   * @example
   * ```ts
   * const server = await localKms.listen();
   * process.env.AWS_ENDPOINT_URL_KMS = server.url;
   * // Later
   * await server.close();
   * ```
   */
  listen(port = 0): Promise<LocalKmsServer> {
    return listen(this.wire, port);
  }

  /**
   * Simulates a failure, for tests. If several faults apply to an operation, the first one that is not used up
   * takes effect.
   *
   * @throws TypeError that names the unknown or invalid property
   *
   * @example
   * ```ts
   * const fault = localKms.inject({ kind: 'throttle', operation: 'Sign', times: 2 });
   * await jwt.sign({ sub: 'user-42' }); // the third attempt succeeds
   * expect(fault.count).toBe(2);
   * ```
   */
  inject(fault: LocalKmsFault): LocalKmsInjectedFault {
    return this.faults.inject(fault);
  }
}

function refuseProduction(): void {
  // `Production` and `prod` are meant to be the same.
  if (!/^prod(uction)?$/i.test(process.env.NODE_ENV?.trim() ?? '')) return;
  throw new Error(
    'LocalKms refuses to start under NODE_ENV=production: it holds private keys in the process and checks no ' +
      'permissions. Use a KMSClient of @aws-sdk/client-kms and a key in AWS KMS.',
  );
}

/** Creates the key and the alias unless they exist; what the key file already contains stays unchanged. */
function ensureKey(store: KeyStore, { aliasName, ...key }: ResolvedKeyOptions): void {
  if (aliasName !== undefined && store.hasAlias(aliasName)) return;
  if (!store.hasKey(key.keyId)) store.createKey(key);
  if (aliasName !== undefined) store.createAlias(aliasName, store.find(key.keyId));
}
