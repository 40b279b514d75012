import { Deadline } from '../async/deadline.js';
import type { JwksUnavailableError } from '../errors/errors.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { JsonFetcher } from './json-fetcher.js';
import { JwksKeySource, type JwksKeySourceSettings } from './jwks-key-source.js';
import type { FetchedKeys } from './rotation.js';

/** The time after which the metadata is fetched again, in milliseconds; it is sooner if the key set cannot be fetched. */
const FRESH_FOR_MS = 86_400_000;
/** The share of the time limit that is reserved for a key set whose URL is known, if the request for metadata is not answered. */
const KEY_SET_SHARE = 0.5;

export interface DiscoverySettings extends JwksKeySourceSettings {
  /** Whether this is the URL of a key set that may be fetched. */
  isAllowed: (uri: unknown) => uri is string;
}

/**
 * Fetches the keys of an issuer from the URL in its metadata: OpenID Connect Discovery 1.0, section 4, and RFC 8414, section 3.
 * The metadata has to name the same issuer. Metadata and key set share one time limit. While the metadata cannot be read, the
 * last known URL of the key set stays in use, until `maxStale` after the metadata was due.
 */
export class DiscoveryKeySource {
  readonly maxStale: number;
  private readonly documents: readonly JsonFetcher[];
  private keys: JwksKeySource | undefined;
  /** When the metadata was last read. */
  private discoveredAt = -Infinity;
  /** Whether the key set could not be fetched since: then the metadata is read again before it is due. */
  private mayHaveMoved = false;

  /** @param issuer a URL */
  constructor(
    private readonly issuer: string,
    private readonly settings: DiscoverySettings,
    private readonly clock: Pick<Clock, 'monotonic'> = SYSTEM_CLOCK,
    private readonly fetcher: typeof fetch = fetch,
  ) {
    this.maxStale = settings.maxStale;
    this.documents = metadataUrls(issuer).map((url) => new JsonFetcher(url, 'metadata', fetcher));
  }

  /** @throws JwksUnavailableError */
  async load(): Promise<FetchedKeys> {
    const deadline = new Deadline(this.settings.timeout);
    try {
      const { keys, problem } = await this.source(deadline);
      const fetched = await keys.load(deadline.remainingMs);
      return problem ? { ...fetched, problem } : fetched;
    } catch (error) {
      this.mayHaveMoved = true;
      throw error;
    } finally {
      deadline.end();
    }
  }

  /** The source of the keys, and why its URL could not be confirmed. */
  private async source(deadline: Deadline): Promise<{ keys: JwksKeySource; problem?: Error }> {
    const { keys } = this;
    const dueAt = this.discoveredAt + FRESH_FOR_MS;
    if (keys && !this.mayHaveMoved && this.clock.monotonic() <= dueAt) return { keys };
    try {
      return { keys: await this.discover(deadline) };
    } catch (error) {
      // The URL that was found before may still be right, but the issuer does not confirm it.
      if (!keys || this.clock.monotonic() > dueAt + this.maxStale * 1000) throw error;
      return { keys, problem: error as Error };
    }
  }

  private async discover(deadline: Deadline): Promise<JwksKeySource> {
    const uri = await this.jwksUri(deadline);
    if (this.keys) this.keys.moveTo(uri);
    else this.keys = new JwksKeySource(uri, this.settings, this.clock, this.fetcher);
    this.discoveredAt = this.clock.monotonic();
    this.mayHaveMoved = false;
    return this.keys;
  }

  private async jwksUri(deadline: Deadline): Promise<string> {
    const reserved = this.keys ? this.settings.timeout * KEY_SET_SHARE : 0;
    const headers = { accept: 'application/json' };
    const errors: unknown[] = [];
    for (const document of this.documents) {
      const timeout = deadline.remainingMs - reserved;
      if (timeout <= 0) break;
      try {
        return await document.fetch(headers, ({ json }) => this.read(json, document), timeout);
      } catch (error) {
        errors.push(error);
      }
    }
    throw errors[0] as JwksUnavailableError;
  }

  private read(json: unknown, document: JsonFetcher): string {
    const { issuer, jwks_uri: uri } = (json ?? {}) as Record<string, unknown>;
    if (issuer !== this.issuer) throw document.unavailable('its issuer does not match the expected issuer');
    if (!this.settings.isAllowed(uri)) throw document.unavailable('its jwks_uri is not an https URL');
    return uri;
  }
}

/** OpenID Connect puts the well-known path after the path of the issuer, RFC 8414 before it. */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}
