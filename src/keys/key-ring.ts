import { type Observable, Subject } from 'rxjs';
import { KmsJwtOptionsError } from '../errors.js';
import type { KmsJwtRingStore } from '../kms-jwt.options.js';
import { eventsBetween, type KmsJwtEvent } from './events.js';
import { fromStored, toStored } from './ring-store.js';
import {
  afterFetch,
  afterTime,
  EMPTY_RING,
  type FetchedKeys,
  keysOf,
  nextChange,
  type Ring,
  type RotationTimes,
} from './rotation.js';
import type { VerificationKey } from '../jwt/jwk.js';
import type { SigningKey } from './signing-key.js';

/** For how long tokens are refused by a first fetch that failed: a flood of them must not become a flood of calls. */
const FAILURE_LASTS = 250;
/** How often at most an unknown kid asks for a refresh. */
const UNKNOWN_KID_INTERVAL = 30_000;
/** By which part of it, up or down, the time to the next refresh is drawn, so that a fleet does not ask all at once. */
const JITTER = 0.1;
/** A longer timer fires at once. */
const MAX_TIMER = 2 ** 31 - 1;
const DAY = 86_400;
/** Seconds at most until a fetch that failed is tried again. */
const RETRY = 30;

/** Where a ring gets its keys. */
export interface KeySource {
  load(): Promise<FetchedKeys>;
}

/** Durations in seconds. */
export interface RingSettings {
  activationDelay: number;
  /**
   * Where it is not given: as long as the longest-lived token that was signed here, or 24 hours; and as long as others
   * may go on signing, who see the change at their next refresh.
   */
  retireAfter: number | undefined;
  ringStore: KmsJwtRingStore | undefined;
}

/** How a ring is. */
export interface RingHealth {
  /** The names of the keys that verify. */
  keys: string[];
  /** The name of the key that signs, if one does. */
  signing?: string;
  /** Whether the keys could be fetched when that was last tried. */
  refresh: 'ok' | 'failed';
}

/** What a ring has of the world. */
export interface RingWorld {
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
}

/**
 * The keys that this service trusts: the active one signs, all verify. It asks its source again in the background;
 * nobody waits for that who needs a key that is known, and what cannot be fetched leaves the last keys in place.
 */
export class KeyRing {
  /** Every change of the keys, and every failure to refresh them. */
  readonly events: Observable<KmsJwtEvent>;

  private readonly subject = new Subject<KmsJwtEvent>();
  private ring: Ring = EMPTY_RING;
  private keys = keysOf(EMPTY_RING);
  private isLoaded = false;
  /** After how many seconds the source is asked again; undefined where its answer cannot change. */
  private freshFor: number | undefined = RETRY;
  private loading: Promise<void> | undefined;
  private refreshing: Promise<void> | undefined;
  private failure: { error: unknown; at: number } | undefined;
  private changesAt = Infinity;
  private lastAskedForKid = -Infinity;
  private longestLifetime: number | undefined;
  private refreshTimer: NodeJS.Timeout | undefined;
  private changeTimer: NodeJS.Timeout | undefined;
  private isStopped = false;
  private saving = Promise.resolve();

  constructor(
    private readonly source: KeySource,
    private readonly settings: RingSettings,
    private readonly world: RingWorld = { now: () => Date.now(), random: () => Math.random() },
  ) {
    this.events = this.subject.asObservable();
  }

  /** The key that signs. The first callers share one fetch; a fetch that failed is forgotten, for the next to try. */
  async active(): Promise<SigningKey> {
    await this.ready();
    if (!this.ring.active) throw new KmsJwtOptionsError('keyId', 'is missing: this instance can only verify');
    return this.ring.active;
  }

  /**
   * The key of that name, if this service trusts one. Anybody can ask for any name: a first fetch that failed is
   * remembered for a moment, and an unknown name asks for a refresh at most every 30 seconds, shared by all who wait.
   *
   * @throws what the source threw, when it could not say whether there is such a key
   */
  async find(kid: string): Promise<VerificationKey | undefined> {
    if (!this.isLoaded && this.failure && this.world.now() < this.failure.at + FAILURE_LASTS)
      throw this.failure.error;
    await this.ready();
    if (!this.keys.has(kid) && this.freshFor !== undefined) await this.refreshForKid();
    const key = this.keys.get(kid);
    if (!key && this.failure) throw this.failure.error;
    return key;
  }

  /** Every key that verifies. */
  async all(): Promise<VerificationKey[]> {
    await this.ready();
    return [...this.keys.values()];
  }

  /** What is there without asking anybody. */
  get health(): RingHealth {
    return {
      keys: [...this.keys.keys()],
      ...(this.ring.active && { signing: this.ring.active.kid }),
      refresh: this.failure ? 'failed' : 'ok',
    };
  }

  /** Tells how long a token will live, in seconds (undefined: for ever), as its key must verify for as long. */
  noteLifetime(seconds: number | undefined): void {
    const lifetime = seconds ?? DAY;
    if (this.longestLifetime === undefined || lifetime > this.longestLifetime)
      this.longestLifetime = lifetime;
  }

  /** Ends the refreshes; waits until what changed last is stored. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.refreshTimer);
    clearTimeout(this.changeTimer);
    await this.saving;
    this.subject.complete();
  }

  private async ready(): Promise<void> {
    if (!this.isLoaded) {
      this.loading ??= this.load();
      await this.loading;
    }
    if (this.world.now() >= this.changesAt) this.letTimePass();
  }

  private async load(): Promise<void> {
    try {
      if (this.ring === EMPTY_RING) this.adopt(await this.restored());
      await this.fetch();
    } catch (error) {
      // The keys of the time before a restart are better than none.
      if (this.keys.size === 0) throw error;
      this.subject.next({ type: 'refresh_failed', error: error as Error });
    } finally {
      this.loading = undefined;
    }
    this.isLoaded = true;
    this.letTimePass();
    this.scheduleRefresh();
  }

  private async restored(): Promise<Ring> {
    try {
      return fromStored(await this.settings.ringStore?.load());
    } catch (error) {
      this.subject.next({ type: 'store_failed', error: error as Error });
      return EMPTY_RING;
    }
  }

  private async refreshForKid(): Promise<void> {
    const now = this.world.now();
    if (now >= this.lastAskedForKid + UNKNOWN_KID_INTERVAL) {
      this.lastAskedForKid = now;
      void this.refresh();
    }
    await this.refreshing;
  }

  /** Fetches, shared by all who ask meanwhile. Never rejects: a failure is kept for those whom it concerns. */
  private refresh(): Promise<void> {
    this.refreshing ??= this.fetch()
      .catch((error: unknown) => this.subject.next({ type: 'refresh_failed', error: error as Error }))
      .finally(() => {
        this.refreshing = undefined;
        this.scheduleRefresh();
      });
    return this.refreshing;
  }

  private async fetch(): Promise<void> {
    try {
      const fetched = await this.source.load();
      this.freshFor = fetched.freshFor;
      if (this.failure && this.isLoaded) this.subject.next({ type: 'refresh_recovered' });
      this.failure = undefined;
      this.change(afterFetch(this.ring, fetched, this.times(), this.world.now()));
    } catch (error) {
      this.failure = { error, at: this.world.now() };
      throw error;
    }
  }

  private letTimePass(): void {
    this.change(afterTime(this.ring, this.times(), this.world.now()));
  }

  private change(ring: Ring): void {
    const events = eventsBetween(this.ring, ring);
    const isChanged = events.length > 0 || this.ring.next?.activatesAt !== ring.next?.activatesAt;
    this.adopt(ring);
    for (const event of events) this.subject.next(event);
    if (isChanged) this.save();
  }

  private adopt(ring: Ring): void {
    this.ring = ring;
    this.keys = keysOf(ring);
    this.changesAt = nextChange(ring);
    clearTimeout(this.changeTimer);
    if (this.changesAt === Infinity || this.isStopped) return;
    this.changeTimer = timer(this.changesAt - this.world.now(), () => this.letTimePass());
  }

  private save(): void {
    const { ringStore } = this.settings;
    if (!ringStore) return;
    const stored = toStored(this.ring);
    this.saving = this.saving
      .then(() => ringStore.save(stored))
      .catch((error: unknown) => this.subject.next({ type: 'store_failed', error: error as Error }));
  }

  private times(): RotationTimes {
    const lag = (this.freshFor ?? 0) * (1 + JITTER);
    const retireAfter = this.settings.retireAfter ?? (this.longestLifetime ?? DAY) + lag;
    return { activationDelay: this.settings.activationDelay * 1000, retireAfter: retireAfter * 1000 };
  }

  private scheduleRefresh(): void {
    clearTimeout(this.refreshTimer);
    if (this.freshFor === undefined || this.isStopped) return;
    const jitter = 1 + JITTER * (2 * this.world.random() - 1);
    const seconds = this.failure ? Math.min(this.freshFor, RETRY) : this.freshFor;
    this.refreshTimer = timer(seconds * 1000 * jitter, () => void this.refresh());
  }
}

/** Does not keep the process alive. */
function timer(milliseconds: number, run: () => void): NodeJS.Timeout {
  return setTimeout(run, Math.max(0, Math.min(milliseconds, MAX_TIMER))).unref();
}
