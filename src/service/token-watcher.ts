import type { Observable, Subscription } from 'rxjs';
import {
  IssuerUnavailableError,
  JwksUnavailableError,
  type KmsJwtError,
  KmsUnavailableError,
  RevocationUnavailableError,
  TokenExpiredError,
  TokenKeyUnknownError,
} from '../errors/errors.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { JwtClaims } from '../jwt/claims.js';
import { type Clock, SYSTEM_CLOCK } from '../keys/clock.js';
import { MAX_TIMER_MS } from '../options/defaults.js';
import type { TrustSource } from './trust-sources.js';

/** The share by which `recheckInterval` varies, so that connections are not all rechecked at once. */
const RECHECK_JITTER = 0.1;
/** The errors of a recheck that says nothing about the token. */
const UNANSWERED = [
  RevocationUnavailableError,
  KmsUnavailableError,
  IssuerUnavailableError,
  JwksUnavailableError,
];
/** The number of consecutive rechecks without an answer that ends a watch. */
const MAX_FAILED_RECHECKS = 3;

/** A verified token, and the claims that were returned for it. It may also be something other than a JWT, such as an API key. */
export interface WatchedClaims {
  readonly token: string;
  readonly claims: JwtClaims;
  /** Whose keys verified it; undefined without the option `issuers`, and if an overridden `authenticate` accepted it. */
  readonly source: TrustSource | undefined;
}

/** A verified token that something still relies on: a connection, a subscription or a stream. */
export interface WatchedToken {
  readonly kid: string | undefined;
  /** The name of its issuer, if that is another one. */
  readonly issuer?: string | undefined;
  /** Seconds since 1970; Infinity for a token that does not expire. */
  readonly expiresAt: number;
  /** Rejects as `verify` does; called at each `recheckInterval`. */
  recheck(): Promise<void>;
}

/** Durations in seconds. */
export interface TokenWatcherSettings {
  /** Whether the end of a token, or of the trust in its key, is reported. */
  endAtExpiry: boolean;
  /** How often `isRevoked` and, with `verification: 'kms'`, KMS check a token again, in seconds; undefined: never. */
  recheckInterval: number | undefined;
}

type WatcherClock = Pick<Clock, 'now' | 'schedule'>;

/** How often the watched tokens are compared with the wall clock. */
const TICK_MS = 500;
/** More keys than a key set has. */
const MAX_REMOVED_KEYS = 2000;

/** Reports when a token expires, is revoked, or its key is no longer trusted. */
export class TokenWatcher {
  private readonly watches = new Set<Watch>();
  /** The keys removed last, the oldest first: a token may have been verified by one just before its watch begins. */
  private readonly removedKeys = new Set<string>();
  private readonly subscription: Subscription;
  private cancelTick: (() => void) | undefined;

  /** @param random returns a number from 0 to below 1 */
  constructor(
    private readonly settings: TokenWatcherSettings,
    events: Observable<KmsJwtEvent>,
    private readonly clock: WatcherClock = SYSTEM_CLOCK,
    private readonly random: () => number = Math.random,
  ) {
    this.subscription = events.subscribe((event) => {
      if (event.type === 'key_removed') this.removeKey(event);
      if (event.type === 'key_published') this.removedKeys.delete(nameOf(event));
      if (event.type === 'keys_stale' && event.staleIn === 0) this.endAll(event);
    });
  }

  /**
   * @param onInvalid is called once, with the error that `verify` would throw now
   * @returns a function that ends the watch
   * @throws TokenExpiredError, TokenKeyUnknownError if it would end at once
   */
  watch(token: WatchedToken, onInvalid: (error: KmsJwtError) => void): () => void {
    if (this.settings.endAtExpiry) this.refuseInvalid(token);
    const onEnd = (error: KmsJwtError) => {
      this.watches.delete(watch);
      onInvalid(error);
    };
    const watch = new Watch(token, this.settings.recheckInterval, this.clock, this.random, onEnd);
    this.watches.add(watch);
    this.scheduleTick();
    return () => {
      this.watches.delete(watch);
      watch.stop();
    };
  }

  /** Ends every watch without a report. */
  stop(): void {
    this.subscription.unsubscribe();
    this.cancelTick?.();
    for (const watch of this.watches) watch.stop();
    this.watches.clear();
  }

  /** One timer for all tokens: a timer for each would be late after a step of the wall clock, and after a suspension. */
  private scheduleTick(): void {
    if (!this.settings.endAtExpiry || this.cancelTick || this.watches.size === 0) return;
    this.cancelTick = this.clock.schedule(() => {
      this.cancelTick = undefined;
      try {
        this.endExpiredTokens();
      } finally {
        this.scheduleTick();
      }
    }, TICK_MS);
  }

  private endExpiredTokens(): void {
    for (const watch of this.watches) if (this.hasExpired(watch.token)) watch.end(expired(watch.token));
  }

  /** No token can be verified with keys that are too old. */
  private endAll({ error: cause, issuer }: { error: Error; issuer?: string }): void {
    if (!this.settings.endAtExpiry) return;
    const error = new JwksUnavailableError('The key set is older than rotation.maxStale', { cause });
    for (const watch of this.watches) if (watch.token.issuer === issuer) watch.end(error);
  }

  private removeKey(key: KeyName): void {
    const name = nameOf(key);
    this.removedKeys.add(name);
    const ended = this.settings.endAtExpiry ? [...this.watches] : [];
    for (const watch of ended) if (nameOf(watch.token) === name) watch.end(new TokenKeyUnknownError());
    const [oldest] = this.removedKeys;
    if (oldest !== undefined && this.removedKeys.size > MAX_REMOVED_KEYS) this.removedKeys.delete(oldest);
  }

  private refuseInvalid(token: WatchedToken): void {
    if (this.hasExpired(token)) throw expired(token);
    if (token.kid !== undefined && this.removedKeys.has(nameOf(token))) throw new TokenKeyUnknownError();
  }

  private hasExpired({ expiresAt }: WatchedToken): boolean {
    return expiresAt <= this.clock.now() / 1000;
  }
}

type KeyName = Pick<WatchedToken, 'kid' | 'issuer'>;

/** Two issuers may have keys with the same kid. */
function nameOf({ kid, issuer }: KeyName): string {
  return JSON.stringify([kid, issuer]);
}

function expired({ expiresAt }: WatchedToken): TokenExpiredError {
  return new TokenExpiredError(new Date(expiresAt * 1000));
}

class Watch {
  private cancelRecheck: (() => void) | undefined;
  private failedRechecks = 0;
  private isOver = false;

  constructor(
    readonly token: WatchedToken,
    recheckInterval: number | undefined,
    private readonly clock: WatcherClock,
    private readonly random: () => number,
    private readonly onInvalid: (error: KmsJwtError) => void,
  ) {
    if (recheckInterval !== undefined) this.scheduleRecheck(recheckInterval);
  }

  stop(): void {
    this.isOver = true;
    this.cancelRecheck?.();
  }

  end(error: KmsJwtError): void {
    if (this.isOver) return;
    this.stop();
    this.onInvalid(error);
  }

  private scheduleRecheck(interval: number): void {
    const jitter = 1 + RECHECK_JITTER * (2 * this.random() - 1);
    const recheck = async () => {
      await this.recheck();
      if (!this.isOver) this.scheduleRecheck(interval);
    };
    const delay = Math.min(interval * 1000 * jitter, MAX_TIMER_MS);
    this.cancelRecheck = this.clock.schedule(() => void recheck(), delay);
  }

  private async recheck(): Promise<void> {
    try {
      await this.token.recheck();
      this.failedRechecks = 0;
    } catch (error) {
      this.failedRechecks += 1;
      const isUnanswered = UNANSWERED.some((kind) => error instanceof kind);
      if (!isUnanswered || this.failedRechecks >= MAX_FAILED_RECHECKS) this.end(error as KmsJwtError);
    }
  }
}
