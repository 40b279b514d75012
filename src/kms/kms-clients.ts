import type { KMSClient } from '@aws-sdk/client-kms';
import { SdkClient, type KmsClient } from './kms-client.js';

/** The least age of a client that is replaced, in milliseconds: credentials that take longer than a call have so long to arrive. */
const RENEWAL_INTERVAL_MS = 10_000;

/** Where a gateway has its client from. */
export interface KmsClients {
  /** The client for the next call. */
  current(): KmsClient;

  /** To be called when a call with `client` had no valid credentials. */
  credentialsFailed(client: KmsClient): void;

  /** Destroys the client, unless it is the app's. */
  destroy(): void;
}

/** A client of the app, which is the app's to replace and to destroy. */
export function appClient(client: KMSClient): KmsClients {
  const any = new SdkClient(client);
  return { current: () => any, credentialsFailed: () => {}, destroy: () => {} };
}

/**
 * A client that the library makes. The SDK keeps the first result of a credential provider that has no expiration, also
 * `undefined` and credentials that AWS refuses, and waits for a promise that never settles. So a client whose credentials
 * failed is replaced when it is ten seconds old: the next one asks the provider, or AWS's own chain, again.
 */
export class OwnClients implements KmsClients {
  private client: KmsClient;
  private madeAt: number;
  private hasFailed = false;

  /**
   * @param make makes a client, each with the same request handler: a client holds nothing else, so that its predecessors need
   * not be destroyed, and their calls in flight end as usual
   * @param now a monotonic clock in milliseconds
   */
  constructor(
    private readonly make: () => KmsClient,
    private readonly now: () => number,
  ) {
    this.client = make();
    this.madeAt = now();
  }

  current(): KmsClient {
    const now = this.now();
    if (this.hasFailed && now - this.madeAt >= RENEWAL_INTERVAL_MS) {
      this.client = this.make();
      this.madeAt = now;
      this.hasFailed = false;
    }
    return this.client;
  }

  credentialsFailed(client: KmsClient): void {
    if (client === this.client) this.hasFailed = true;
  }

  destroy(): void {
    this.client.destroy();
  }
}
