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

/** A key of a {@link LocalKms}, as it is now. */
export interface LocalKmsKey {
  /** The id, without ARN. */
  readonly keyId: string;
  /** The ARN: what KMS answers as `KeyId`. */
  readonly arn: string;
  readonly keySpec: LocalKmsKeySpec;
  readonly keyUsage: LocalKmsKeyUsage;
  readonly keyState: LocalKmsKeyState;
  /** The aliases that stand for it. */
  readonly aliases: readonly { readonly aliasName: string; readonly aliasArn: string }[];
}

/**
 * An AWS KMS inside the process, for development and tests: real keys, real signatures, the answers and errors
 * of AWS KMS, and faults on demand. It costs nothing and needs no network and no credentials.
 *
 * It has what signing tokens needs: keys and their states, aliases, public keys, Sign and Verify with ECDSA.
 * It checks no credentials and no policies, and a key whose deletion is due stays pending deletion. RSA and
 * symmetric keys are there to be refused: they do not sign or encrypt. Where the behaviour of AWS is not known,
 * the names of the exceptions are more to be trusted than their messages.
 *
 * @example In a test
 * ```ts
 * const localKms = new LocalKms({ keys: [{ alias: 'alias/auth' }] });
 * const client = localKms.client();
 * const { KeyId, Signature } = await client.send(
 *   new SignCommand({ KeyId: 'alias/auth', Message: digest, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' }),
 * );
 * ```
 *
 * @example In development, for an app that makes its own KMSClient
 * ```ts
 * const localKms = new LocalKms({ keys: [{ alias: 'alias/auth' }], file: '.local-kms.json' });
 * const { url } = await localKms.listen();
 * process.env.AWS_ENDPOINT_URL_KMS = url;
 * ```
 */
export class LocalKms {
  private readonly store: KeyStore;
  private readonly faults = new Faults();
  private readonly wire: Wire;

  /**
   * @throws TypeError that names the option that is unknown or wrong.
   * @throws Error under `NODE_ENV=production`; or when the file is not valid, or others may read it.
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

  /** The keys, oldest first. */
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
   * How many requests of each operation have arrived, since the start or {@link resetCalls}. Every attempt of
   * the SDK counts, and those that failed.
   *
   * @example
   * ```ts
   * expect(localKms.calls.Sign).toBe(1);
   * ```
   */
  get calls(): Readonly<Record<LocalKmsOperation, number>> {
    return { ...this.wire.calls };
  }

  /** Sets all of {@link calls} to 0. */
  resetCalls(): void {
    this.wire.resetCalls();
  }

  /**
   * A client of `@aws-sdk/client-kms` whose requests end here instead of on the network. Everything else is
   * the SDK's own: serialization, signing, retries, errors.
   *
   * @param config - more of its configuration, as `maxAttempts`. Default: the Region of this LocalKms, and
   * credentials that mean nothing.
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
   * Serves the same over HTTP on 127.0.0.1, for SDKs in any language: set `AWS_ENDPOINT_URL_KMS` to its url.
   * Whoever can reach the port can use the keys: credentials are not checked.
   *
   * @param port - default 0: a free one.
   * @throws Error (rejects with) when the port is taken.
   */
  listen(port = 0): Promise<LocalKmsServer> {
    return listen(this.wire, port);
  }

  /**
   * Makes something go wrong, for tests. Of several faults the first applies that concerns the operation and
   * is not used up.
   *
   * @throws TypeError that names the property that is unknown or wrong.
   *
   * @example
   * ```ts
   * const fault = localKms.inject({ kind: 'throttle', operation: 'Sign', times: 2 });
   * await service.sign(payload); // the third attempt succeeds
   * expect(fault.count).toBe(2);
   * ```
   */
  inject(fault: LocalKmsFault): LocalKmsInjectedFault {
    return this.faults.inject(fault);
  }
}

function refuseProduction(): void {
  if (process.env.NODE_ENV !== 'production') return;
  throw new Error(
    'LocalKms refuses to start under NODE_ENV=production: it keeps private keys in the process and checks no ' +
      'permissions. Use a KMSClient of @aws-sdk/client-kms and a key in AWS KMS.',
  );
}

/** Creates what is missing of the key; what a file already has of it stays as it is. */
function ensureKey(store: KeyStore, { aliasName, ...key }: ResolvedKeyOptions): void {
  if (aliasName !== undefined && store.hasAlias(aliasName)) return;
  if (!store.hasKey(key.keyId)) store.createKey(key);
  if (aliasName !== undefined) store.createAlias(aliasName, store.find(key.keyId));
}
