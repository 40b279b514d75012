import { withDeadline } from '../async/deadline.js';
import { JwksUnavailableError } from '../errors/errors.js';
import { ALGORITHM_NAMES } from '../jwt/algorithms.js';
import { isKeySet, keysIn } from '../jwt/jwk.js';
import { REFRESH_JITTER } from '../options/defaults.js';
import type { RotationSettings } from '../options/settings.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { fetchFailureOf } from './fetch-failure.js';
import { CONFIRM_AFTER_SECONDS, KeySetHistory } from './key-set-history.js';
import type { FetchedKeys } from './rotation.js';

/** A longer key set is refused: it would contain thousands of keys. */
const MAX_BYTES = 262_144;
/** Bounds to the freshness that a response can claim. */
const MIN_FRESHNESS_SECONDS = 30;
const MAX_FRESHNESS_SECONDS = 86_400;
/** How often the key set is fetched at least before it is too old: an outage is noticed long before. */
const FETCHES_PER_MAX_STALE = 4;
/** Until the answer that lacks a key is confirmed. No jitter makes it less than the time that must pass. */
const CONFIRMATION_SECONDS = CONFIRM_AFTER_SECONDS / (1 - REFRESH_JITTER);

export interface JwksKeySourceSettings extends Pick<RotationSettings, 'refreshInterval' | 'maxStale'> {
  /** Of one fetch, in milliseconds. */
  timeout: number;
}

/**
 * Fetches the keys of a service that only verifies: the key set of the issuer (RFC 7517, section 5). A key that the issuer
 * removes is dropped once a second answer lacks it. Only a key set is an answer: 404, 410 and errors are none.
 */
export class JwksKeySource {
  /** In seconds: keys that were fetched longer ago are not used. */
  readonly maxStale: number;
  /** `uri` as messages show it: its query may contain a secret. */
  private readonly shownUri: string;
  private readonly history = new KeySetHistory();
  private hasAnswered = false;

  /** @param uri https, or http on loopback */
  constructor(
    private readonly uri: string,
    private readonly settings: JwksKeySourceSettings,
    private readonly clock: Pick<Clock, 'monotonic'> = SYSTEM_CLOCK,
    private readonly fetcher: typeof fetch = fetch,
  ) {
    const { origin, pathname } = new URL(uri);
    this.shownUri = origin + pathname;
    this.maxStale = settings.maxStale;
  }

  /** @throws JwksUnavailableError */
  async load(): Promise<FetchedKeys> {
    const { timeout } = this.settings;
    const timeoutError = () => this.unavailable(`it did not answer within ${timeout} ms`);
    return withDeadline((signal) => this.fetchKeys(signal), timeout, timeoutError);
  }

  private async fetchKeys(signal: AbortSignal): Promise<FetchedKeys> {
    const requestedAt = this.clock.monotonic();
    try {
      const response = await this.fetcher(this.uri, {
        signal,
        // Not followed: an open redirect on the issuer's host would let others supply the keys.
        redirect: 'manual',
        headers: {
          accept: 'application/jwk-set+json, application/json',
          // The answer that lacked a key may have come from a cache.
          ...(this.history.awaitsConfirmation && { 'cache-control': 'no-cache' }),
        },
      });
      if (!response.ok) {
        // An unread body would hold its connection.
        await response.body?.cancel();
        const { status } = response;
        const isRedirect = status >= 300 && status < 400;
        throw this.unavailable(
          `it answered ${status}${isRedirect ? ', and redirects are not followed; use the URL that it redirects to' : ''}`,
        );
      }
      const keySet: unknown = JSON.parse(await this.readText(response));
      // The timeout may have passed while the body was read: an answer that nobody waits for must not drop a key.
      signal.throwIfAborted();
      return this.take(keySet, requestedAt, response.headers);
    } catch (error) {
      if (error instanceof JwksUnavailableError) throw error;
      const { problem, cause } = fetchFailureOf(error);
      throw this.unavailable(problem, cause);
    }
  }

  private take(keySet: unknown, requestedAt: number, headers: Headers): FetchedKeys {
    const keys = keysIn(keySet);
    // At first an empty set is a mistake; later it says that every key is removed.
    if (!isKeySet(keySet) || (keys.length === 0 && !this.hasAnswered)) {
      throw this.unavailable(`it contains no key for ${ALGORITHM_NAMES} with a kid`);
    }
    this.hasAnswered = true;
    const others = this.history.take(keys, requestedAt);
    const freshFor = this.history.awaitsConfirmation ? CONFIRMATION_SECONDS : this.freshness(headers);
    return { others, freshFor: Math.min(freshFor, this.maxStale / FETCHES_PER_MAX_STALE) };
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
    if (seconds === undefined) return this.settings.refreshInterval;
    const age = /^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? '0';
    return Math.min(Math.max(Number(seconds) - Number(age), MIN_FRESHNESS_SECONDS), MAX_FRESHNESS_SECONDS);
  }

  private unavailable(problem: string, cause?: Error): JwksUnavailableError {
    return new JwksUnavailableError(`The key set ${this.shownUri} is unavailable: ${problem}`, { cause });
  }
}
