import { type Algorithm, namesOf } from '../jwt/algorithms.js';
import { isKeySet, keysIn, type VerificationKey } from '../jwt/jwk.js';
import { REFRESH_JITTER } from '../options/defaults.js';
import type { RotationSettings } from '../options/settings.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { type FetchedJson, JsonFetcher } from './json-fetcher.js';
import { CONFIRM_AFTER_SECONDS, KeySetHistory } from './key-set-history.js';
import type { FetchedKeys } from './rotation.js';

/** Bounds to the freshness that a response can claim. */
const MIN_FRESHNESS_SECONDS = 30;
const MAX_FRESHNESS_SECONDS = 86_400;
/** The minimum number of fetches before a key set is too old, so that an outage is noticed long before. */
const FETCHES_PER_MAX_STALE = 4;
/** The time until an answer that lacks a key is confirmed: even with jitter, at least CONFIRM_AFTER_SECONDS. */
const CONFIRMATION_SECONDS = CONFIRM_AFTER_SECONDS / (1 - REFRESH_JITTER);

export interface JwksKeySourceSettings extends Pick<RotationSettings, 'refreshInterval' | 'maxStale'> {
  /** The algorithms that a key may have. */
  algorithms: readonly Algorithm[];
  /** The time limit of one fetch, in milliseconds. */
  timeout: number;
}

/**
 * Fetches the keys of a service that only verifies: the key set of the issuer (RFC 7517, section 5). A key that the issuer
 * removes is dropped once a second answer lacks it. Only a key set counts as an answer: a 404, a 410 or another error does not.
 */
export class JwksKeySource {
  /** The maximum age of the keys, in seconds: older ones are not used. */
  readonly maxStale: number;
  private document: JsonFetcher;
  private readonly history = new KeySetHistory();
  private hasAnswered = false;

  /** @param uri https, or http on loopback */
  constructor(
    uri: string,
    private readonly settings: JwksKeySourceSettings,
    private readonly clock: Pick<Clock, 'monotonic'> = SYSTEM_CLOCK,
    private readonly fetcher: typeof fetch = fetch,
  ) {
    this.document = this.documentAt(uri);
    this.maxStale = settings.maxStale;
  }

  /** Changes the URL of the key set. The last answer from the old URL still counts. */
  moveTo(uri: string): void {
    this.document = this.documentAt(uri);
  }

  /** Uses the keys of an answer that another process received. Keys that were removed since are dropped as usual. */
  restore(keys: readonly VerificationKey[]): FetchedKeys {
    this.hasAnswered = true;
    const others = this.history.take(keys, this.clock.monotonic());
    return { others, freshFor: this.atMost(this.settings.refreshInterval) };
  }

  /**
   * @param timeLeft the time limit in milliseconds
   * @throws JwksUnavailableError
   */
  async load(timeLeft = this.settings.timeout): Promise<FetchedKeys> {
    const requestedAt = this.clock.monotonic();
    const headers = {
      accept: 'application/jwk-set+json, application/json',
      // The answer that lacked a key may have come from a cache.
      ...(this.history.awaitsConfirmation && { 'cache-control': 'no-cache' }),
    };
    return this.document.fetch(headers, (fetched) => this.take(fetched, requestedAt), timeLeft);
  }

  private take({ json: keySet, headers }: FetchedJson, requestedAt: number): FetchedKeys {
    const { algorithms } = this.settings;
    const keys = keysIn(keySet, algorithms);
    // As the first answer, an empty set is a mistake; later, it means that every key was removed.
    if (!isKeySet(keySet) || (keys.length === 0 && !this.hasAnswered)) {
      throw this.document.unavailable(`it contains no key for ${namesOf(algorithms)} with a kid`);
    }
    this.hasAnswered = true;
    const others = this.history.take(keys, requestedAt);
    const freshFor = this.history.awaitsConfirmation ? CONFIRMATION_SECONDS : this.freshness(headers);
    return { others, freshFor: this.atMost(freshFor) };
  }

  private atMost(freshFor: number): number {
    return Math.min(freshFor, this.maxStale / FETCHES_PER_MAX_STALE);
  }

  private documentAt(uri: string): JsonFetcher {
    return new JsonFetcher(uri, 'key set', this.fetcher);
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
}
