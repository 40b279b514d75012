import { withDeadline } from '../async/deadline.js';
import { JwksUnavailableError } from '../errors/errors.js';
import { codeOf, nameOf, redactedCause } from '../errors/redacted-cause.js';
import { ALGORITHM_NAMES } from '../jwt/algorithms.js';
import { keysIn } from '../jwt/jwk.js';
import type { FetchedKeys } from './rotation.js';

/** A longer key set is refused: it would contain thousands of keys. */
const MAX_BYTES = 262_144;
/** Bounds to the freshness that a response can claim. */
const MIN_FRESHNESS_SECONDS = 30;
const MAX_FRESHNESS_SECONDS = 86_400;

/** Fetches the keys of a service that only verifies: the key set of the issuer (RFC 7517, section 5). */
export class JwksKeySource {
  /** `uri` as messages show it: its query may contain a secret. */
  private readonly shownUri: string;

  /**
   * @param uri https, or http on loopback
   * @param timeout of one fetch, in milliseconds
   * @param refreshInterval in seconds, for responses that do not state their freshness
   */
  constructor(
    private readonly uri: string,
    private readonly timeout: number,
    private readonly refreshInterval: number,
    private readonly fetcher: typeof fetch = fetch,
  ) {
    const { origin, pathname } = new URL(uri);
    this.shownUri = origin + pathname;
  }

  /** @throws JwksUnavailableError */
  async load(): Promise<FetchedKeys> {
    const timeoutError = () => this.unavailable(`it did not answer within ${this.timeout} ms`);
    return withDeadline((signal) => this.fetchKeys(signal), this.timeout, timeoutError);
  }

  private async fetchKeys(signal: AbortSignal): Promise<FetchedKeys> {
    try {
      const response = await this.fetcher(this.uri, {
        signal,
        // An open redirect on the issuer's host would let others supply the keys.
        redirect: 'error',
        headers: { accept: 'application/jwk-set+json, application/json' },
      });
      if (!response.ok) {
        // An unread body would hold its connection.
        await response.body?.cancel();
        throw this.unavailable(`it answered ${response.status}`);
      }
      const others = keysIn(JSON.parse(await this.readText(response)));
      if (others.length === 0) throw this.unavailable(`it contains no key for ${ALGORITHM_NAMES} with a kid`);
      return { others, freshFor: this.freshness(response.headers) };
    } catch (error) {
      if (error instanceof JwksUnavailableError) throw error;
      const cause = causeFrom(error);
      const kind = cause && (codeOf(cause) ?? nameOf(cause));
      throw this.unavailable(`it could not be fetched and read (${kind ?? typeof error})`, cause);
    }
  }

  private async readText(response: Response): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > MAX_BYTES) throw this.unavailable(`it has more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** RFC 9111, section 4.2: max-age minus Age, within bounds. */
  private freshness(headers: Headers): number {
    const cacheControl = headers.get('cache-control') ?? '';
    if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])/i.test(cacheControl)) return MIN_FRESHNESS_SECONDS;
    const seconds = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl)?.[1];
    if (seconds === undefined) return this.refreshInterval;
    const age = /^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? '0';
    return Math.min(Math.max(Number(seconds) - Number(age), MIN_FRESHNESS_SECONDS), MAX_FRESHNESS_SECONDS);
  }

  private unavailable(problem: string, cause?: Error): JwksUnavailableError {
    return new JwksUnavailableError(`The key set ${this.shownUri} is unavailable: ${problem}`, { cause });
  }
}

/** The error of `fetch` has no code of its own: the network error in its `cause` has. */
function causeFrom(error: unknown): Error | undefined {
  const copy = redactedCause(error, 'Left out, as it may quote the URL or the key set');
  const inner = error instanceof Error && error.cause instanceof Error ? codeOf(error.cause) : undefined;
  return copy && Object.assign(copy, codeOf(copy) === undefined && inner !== undefined && { code: inner });
}
