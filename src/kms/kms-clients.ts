import type { KMSClient } from '@aws-sdk/client-kms';
import { SdkClient, type KmsClient } from './kms-client.js';

/** The minimum age of a client that is replaced, in milliseconds: credentials that take longer than a call have this long to arrive. */
const RENEWAL_INTERVAL_MS = 10_000;

/** Where a gateway gets its client from. */
export interface KmsClients {
  /** The client for the next call. */
  current(): KmsClient;

  /** To be called when a call with `client` had no valid credentials. */
  credentialsFailed(client: KmsClient): void;

  /** Destroys the client, unless it is the app's. */
  destroy(): void;
}

/** A client of the app, which only the app may replace or destroy. */
export function appClient(client: KMSClient): KmsClients {
  const any = new SdkClient(client);
  return { current: () => any, credentialsFailed: () => {}, destroy: () => {} };
}

/**
 * A client that the library creates. The SDK keeps the first result of a credential provider that has no expiration, even
 * `undefined` or credentials that AWS refuses, and waits indefinitely for a promise that never settles. So a client whose
 * credentials failed is replaced when it is ten seconds old: the next one calls the provider, or the SDK's default chain, again.
 */
export class OwnClients implements KmsClients {
  private client: KmsClient;
  private madeAt: number;
  private hasFailed = false;

  /**
   * @param make creates a client, always with the same request handler. A client holds no other resources, so the old one is not
   * destroyed, and its calls in flight end as usual
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
