import { JwksUnavailableError, KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { isSamePublicKey, type VerificationKey } from '../jwt/jwk.js';
import { REFRESH_JITTER } from '../options/defaults.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { KeyAge } from './key-age.js';
import { RestartableTimer } from './restartable-timer.js';
import type { RingHealth } from './ring-health.js';
import { DistrustedKeyError } from './distrusted-keys.js';
import type { FetchedKeys } from './rotation.js';
import type { SigningKey } from './signing-key.js';
import type { TrustedKeys } from './trusted-keys.js';

/** How long the result of a fetch is used before the next fetch: a flood of tokens must not become a flood of calls. */
const MIN_INTERVAL_MS = 250;
/** The shortest time between two refreshes that unknown kids trigger. */
const UNKNOWN_KID_INTERVAL_MS = 30_000;
/** The longest time, before jitter, until a failed fetch is tried again. */
const RETRY_SECONDS = 30;

/** Where a ring gets its keys. */
export interface KeySource {
  load(): Promise<FetchedKeys>;
  /** The maximum age of the keys, in seconds: older ones are not used. Absent if they never become too old. */
  readonly maxStale?: number;
}

/**
 * Looks up the keys that this service trusts, and refreshes them in the background. A lookup of a known key never waits for a
 * refresh, and a failed refresh leaves the last known keys in place.
 */
export class KeyRing {
  private isLoaded = false;
  private isStopped = false;
  private loading: Promise<void> | undefined;
  private refreshing: Promise<void> | undefined;
  /** Why the last fetch failed. */
  private failure: { error: unknown } | undefined;
  private isFailureReported = false;
  /** When the last fetch ended, by the monotonic clock. */
  private fetchedAt = -Infinity;
  private unknownKidRefreshAt = -Infinity;
  private readonly age: KeyAge;
  private readonly refreshTimer: RestartableTimer;

  /**
   * @param emit receives each failure to fetch the keys, and the recovery from it
   * @param random returns a number from 0 to below 1
   */
  constructor(
    private readonly source: KeySource,
    private readonly keys: TrustedKeys,
    private readonly emit: (event: KmsJwtEvent) => void,
    private readonly clock: Clock = SYSTEM_CLOCK,
    private readonly random: () => number = Math.random,
  ) {
    // The machine may have been suspended: the keys must not be trusted for too long, so the latest possible time counts.
    this.age = new KeyAge(source.maxStale, () => keys.lookups.latestNow());
    this.refreshTimer = new RestartableTimer(() => void this.refresh(), clock);
  }

  /**
   * The active key; AliasSigner decides whether it may sign. Concurrent calls without a key share one fetch; if it fails, the
   * next call tries again.
   *
   * @throws KmsKeyError if the key is distrusted; KmsJwtOptionsError if this service only verifies; what the source throws
   * while no key is known
   */
  async active(): Promise<SigningKey> {
    await this.ready();
    // After a start with only stored keys: they verify, but which key signs is unknown.
    if (!this.keys.active && this.failure) await this.retry();
    const { active, signingError } = this.keys;
    if (signingError) throw signingError;
    if (active) return active;
    throw this.failure?.error ?? new KmsJwtOptionsError('keyId', 'is missing: this service can only verify');
  }

  /** The active key, if it is known without waiting. */
  get activeNow(): SigningKey | undefined {
    if (!this.isLoaded) return undefined;
    this.applyDueChanges();
    return this.keys.signingError ? undefined : this.keys.active;
  }

  /**
   * The key with that `kid`; undefined if this service trusts none. As anybody can send any `kid`, a failed first fetch is
   * remembered for a moment, and an unknown `kid` triggers a refresh at most every 30 seconds, shared by all callers.
   *
   * @throws what the source threw, if the key is unknown and the last fetch failed; JwksUnavailableError if the keys are too
   * old
   */
  async find(kid: string): Promise<VerificationKey | undefined> {
    this.throwRecentFirstFailure();
    await this.ready();
    if (this.keys.isDistrusted(kid)) return undefined;
    this.refuseStaleKeys();
    if (!this.keys.all.has(kid) && this.keys.freshFor !== undefined) await this.refreshForUnknownKid();
    const key = this.keys.all.get(kid);
    if (!key && this.failure) throw this.failure.error;
    return key;
  }

  /** The keys that verify now, by `kid`, if they have been fetched and are not too old; a new map whenever they may have changed. */
  get known(): ReadonlyMap<string, VerificationKey> | undefined {
    if (!this.isLoaded) return undefined;
    this.applyDueChanges();
    return this.age.staleIn === 0 ? undefined : this.keys.all;
  }

  /** Whether a key that was found before is still trusted. Makes no call. */
  trusts(key: VerificationKey): boolean {
    const current = this.keys.all.get(key.kid);
    return current !== undefined && isSamePublicKey(current, key);
  }

  /** Every key that verifies. @throws what the source throws at the first fetch; JwksUnavailableError if they are too old */
  async all(): Promise<VerificationKey[]> {
    this.throwRecentFirstFailure();
    await this.ready();
    this.refuseStaleKeys();
    return [...this.keys.all.values()];
  }

  /** Fetches the keys; concurrent calls share one fetch. It never rejects: a failure is emitted, and kept for `find`. */
  refresh(): Promise<void> {
    this.refreshing ??= (this.isLoaded ? this.fetch() : this.ready())
      .catch((error: unknown) => this.report(error as Error))
      .finally(() => {
        this.refreshing = undefined;
        this.scheduleRefresh();
      });
    return this.refreshing;
  }

  /** Fetches the keys, unless that was done a moment ago. It never rejects. */
  async retry(): Promise<void> {
    if (this.refreshing || !this.hasJustFetched) await this.refresh();
  }

  /**
   * Uses keys that another process has fetched, until this one has: the next use of the ring fetches them in the background.
   *
   * @param age how long ago that was, in milliseconds
   */
  restore(fetched: FetchedKeys, age: number): void {
    this.age.renew(age);
    this.keys.update(fetched, this.keys.lookups.now() - age);
    this.keys.lookups.requestRefresh();
    this.isLoaded = true;
  }

  /** Why the last fetch of the keys failed; undefined if it succeeded. */
  get lastFailure(): unknown {
    return this.failure?.error;
  }

  /**
   * Retires a key that can no longer sign, so that the next key signs at once.
   *
   * @returns whether another key signs now
   */
  retireEarly(key: SigningKey): boolean {
    return this.keys.retireEarly(key);
  }

  /**
   * Records the lifetime of a token that was signed here: its key must verify for as long.
   *
   * @param seconds undefined for a token that never expires
   */
  recordLifetime(seconds: number | undefined): void {
    this.keys.recordLifetime(seconds);
  }

  /** The state of the keys, without a fetch. */
  get health(): RingHealth {
    const { active, all, canSign, isStale } = this.keys;
    return {
      keys: [...all.keys()],
      ...(active && canSign && { signing: active.kid }),
      refresh: this.failure ? 'failed' : 'ok',
      stale: isStale && all.size > 0,
      ...(this.age.staleIn !== undefined && { staleIn: this.age.staleIn }),
    };
  }

  /** Ends the background refreshes, and waits until the last change is stored. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.refreshTimer.stop();
    await this.keys.stop();
  }

  private async ready(): Promise<void> {
    if (!this.isLoaded) {
      this.loading ??= this.load();
      await this.loading;
    }
    this.applyDueChanges();
  }

  private applyDueChanges(): void {
    this.keys.applyDueChanges();
    if (this.keys.lookups.takeJump()) void this.refresh();
  }

  private async load(): Promise<void> {
    try {
      await this.fetch();
    } catch (error) {
      // The keys from before a restart are better than none.
      const isMistake = error instanceof KmsJwtOptionsError || error instanceof DistrustedKeyError;
      if (this.keys.all.size === 0 || isMistake) throw error;
      this.reportFailure(error as Error);
    } finally {
      this.loading = undefined;
    }
    this.isLoaded = true;
    this.scheduleRefresh();
  }

  private async fetch(): Promise<void> {
    const sentAt = this.keys.lookups.now();
    // If a clock has jumped before, this fetch is the one that it requires.
    this.keys.lookups.takeJump();
    try {
      const [fetched, stored] = await Promise.allSettled([this.source.load(), this.keys.readStore()]);
      // After shutdown the keys no longer change, but a pending first fetch still serves its callers.
      if (this.isStopped && this.isLoaded) return;
      if (stored.status === 'fulfilled') this.keys.takeStored(stored.value);
      else if (this.isLoaded) this.emit({ type: 'store_failed', error: stored.reason as Error });
      else throw stored.reason;
      if (fetched.status === 'rejected') throw fetched.reason;
      this.take(fetched.value, sentAt);
    } catch (error) {
      this.failure = { error };
      throw error;
    } finally {
      this.fetchedAt = this.clock.monotonic();
    }
  }

  private take(fetched: FetchedKeys, sentAt: number): void {
    const { signing, problem } = fetched;
    if (signing) this.keys.refuseForeign(signing);
    if (signing && !this.isLoaded) this.keys.refuseDistrusted(signing);
    if (this.isFailureReported && !problem) this.emit({ type: 'refresh_recovered' });
    this.isFailureReported = problem !== undefined;
    this.failure = undefined;
    this.age.renew();
    this.keys.update(fetched, sentAt);
    for (const error of [problem, this.keys.signingError]) {
      if (error) this.emit({ type: 'refresh_failed', error });
    }
  }

  private reportFailure(error: Error): void {
    this.isFailureReported = true;
    this.emit({ type: 'refresh_failed', error });
  }

  private report(error: Error): void {
    this.reportFailure(error);
    const { staleIn } = this.age;
    if (staleIn !== undefined && this.age.takeWarning()) this.emit({ type: 'keys_stale', staleIn, error });
  }

  private refuseStaleKeys(): void {
    if (this.age.staleIn !== 0) return;
    const { error } = this.failure ?? {};
    const reason = error instanceof Error ? `: ${error.message}` : '';
    throw new JwksUnavailableError(`The key set is older than rotation.maxStale${reason}`);
  }

  private throwRecentFirstFailure(): void {
    if (!this.isLoaded && this.failure && this.hasJustFetched) throw this.failure.error;
  }

  private get hasJustFetched(): boolean {
    return this.clock.monotonic() < this.fetchedAt + MIN_INTERVAL_MS;
  }

  private async refreshForUnknownKid(): Promise<void> {
    const now = this.clock.monotonic();
    if (now >= this.unknownKidRefreshAt + UNKNOWN_KID_INTERVAL_MS) {
      this.unknownKidRefreshAt = now;
      void this.refresh();
    }
    await this.refreshing;
  }

  private scheduleRefresh(): void {
    const { refreshAfter } = this.keys;
    if (refreshAfter === undefined) return this.refreshTimer.clear();
    const seconds = this.failure ? Math.min(refreshAfter, RETRY_SECONDS) : refreshAfter;
    const delay = seconds * 1000 * (1 - REFRESH_JITTER * this.random());
    this.refreshTimer.restart(Math.min(delay, this.keys.activationIn ?? Infinity));
  }
}
