import { JwksUnavailableError } from '../errors/errors.js';
import { keysIn } from '../jwt/jwk.js';
import { withDeadline } from '../async/deadline.js';
import type { FetchedKeys } from './rotation.js';

/** A key set of more bytes is refused: it would hold thousands of keys. */
const MAX_BYTES = 262_144;
/** Bounds, in seconds, to what the answer may say of its own freshness. */
const MIN_FRESHNESS = 30;
const MAX_FRESHNESS = 86_400;

/** Where the ring of a service that only verifies gets its keys: the key set of the issuer (RFC 7517, section 5). */
export class JwksKeySource {
  /**
   * @param uri https, or http on loopback
   * @param timeout of one fetch, in milliseconds
   * @param refreshInterval in seconds, where the answer says nothing of its freshness
   */
  constructor(
    private readonly uri: string,
    private readonly timeout: number,
    private readonly refreshInterval: number,
    private readonly fetcher: typeof fetch = fetch,
  ) {}

  /** @throws JwksUnavailableError */
  async load(): Promise<FetchedKeys> {
    const late = () => this.unavailable(`it did not answer within ${this.timeout} ms`);
    return withDeadline((signal) => this.fetchKeys(signal), this.timeout, late);
  }

  private async fetchKeys(signal: AbortSignal): Promise<FetchedKeys> {
    try {
      const response = await this.fetcher(this.uri, {
        signal,
        // Whoever can answer for another host could hand out keys of its own.
        redirect: 'error',
        headers: { accept: 'application/jwk-set+json, application/json' },
      });
      if (!response.ok) {
        // A body that nobody reads holds its connection.
        await response.body?.cancel();
        throw this.unavailable(`it answered ${response.status}`);
      }
      const others = keysIn(JSON.parse(await readText(response)));
      if (others.length === 0) throw this.unavailable('it holds no key for ES256 with a kid');
      return { others, freshFor: this.freshness(response.headers) };
    } catch (cause) {
      if (cause instanceof JwksUnavailableError) throw cause;
      throw this.unavailable('it could not be fetched and read', cause);
    }
  }

  /** RFC 9111, section 4.2: max-age less Age, within bounds. */
  private freshness(headers: Headers): number {
    const cacheControl = headers.get('cache-control') ?? '';
    if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])/i.test(cacheControl)) return MIN_FRESHNESS;
    const seconds = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl)?.[1];
    if (seconds === undefined) return this.refreshInterval;
    const age = /^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? '0';
    return Math.min(Math.max(Number(seconds) - Number(age), MIN_FRESHNESS), MAX_FRESHNESS);
  }

  private unavailable(problem: string, cause?: unknown): JwksUnavailableError {
    return new JwksUnavailableError(`The key set ${this.uri} is unavailable: ${problem}`, { cause });
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new RangeError(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
