import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { type KmsJwtRingStore, REFRESH_JITTER } from '../options/kms-jwt.options.js';
import { eventsBetween } from './ring-events.js';
import { RingKeeper } from './ring-persistence.js';
import {
  afterFetch,
  afterTime,
  EMPTY_RING,
  type FetchedKeys,
  keysOf,
  nextChange,
  type Ring,
  type RotationTimes,
  withHistory,
  withoutActive,
} from './rotation.js';
import type { VerificationKey } from '../jwt/jwk.js';
import type { SigningKey } from './signing-key.js';

/** For how long tokens are refused by a first fetch that failed: a flood of them must not become a flood of calls. */
const FAILURE_LASTS = 250;
/** How often at most an unknown kid asks for a refresh. */
const UNKNOWN_KID_INTERVAL = 30_000;
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
  /** The name of the module's instance. */
  instance: string;
  /** Of one call of the store, in milliseconds. */
  timeout: number;
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
  /** Milliseconds of a clock that never goes back, for limits. */
  uptime(): number;
  /** From 0 to below 1. */
  random(): number;
}

/**
 * The keys that this service trusts: the active one signs, all verify. It asks its source again in the background;
 * nobody waits for that who needs a key that is known, and what cannot be fetched leaves the last keys in place.
 */
export class KeyRing {
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
  private readonly keeper: RingKeeper;

  /** @param tell is told of every change of the keys, and of every failure to refresh or to store them */
  constructor(
    private readonly source: KeySource,
    private readonly settings: RingSettings,
    private readonly tell: (event: KmsJwtEvent) => void,
    private readonly world: RingWorld = {
      now: () => Date.now(),
      uptime: () => performance.now(),
      random: () => Math.random(),
    },
  ) {
    const tellOfStore = (error: Error) => tell({ type: 'store_failed', error });
    this.keeper = new RingKeeper(settings.ringStore, settings.instance, settings.timeout, tellOfStore);
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
    this.refuseWhileAway();
    await this.ready();
    if (!this.keys.has(kid) && this.freshFor !== undefined) await this.refreshForKid();
    const key = this.keys.get(kid);
    if (!key && this.failure) throw this.failure.error;
    return key;
  }

  /** Every key that verifies. */
  async all(): Promise<VerificationKey[]> {
    this.refuseWhileAway();
    await this.ready();
    return [...this.keys.values()];
  }

  /** Fetches, shared by all who ask meanwhile. Never rejects: a failure is kept for those whom it concerns. */
  refresh(): Promise<void> {
    this.refreshing ??= this.fetch()
      .catch((error: unknown) => this.tell({ type: 'refresh_failed', error: error as Error }))
      .finally(() => {
        this.refreshing = undefined;
        this.scheduleRefresh();
      });
    return this.refreshing;
  }

  /** Has another key sign than this one, which cannot: the next at once. Says whether there is another. */
  skip(key: SigningKey): boolean {
    if (this.ring.active?.kid !== key.kid) return true;
    if (!this.ring.next) return false;
    if (this.change(withoutActive(this.ring, this.times(), this.world.now()))) this.keep();
    return true;
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
    await this.keeper.settle();
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
      if (!this.keeper.isRead) await this.restore();
      await this.fetch();
    } catch (error) {
      // The keys of the time before a restart are better than none.
      if (this.keys.size === 0 || error instanceof KmsJwtOptionsError) throw error;
      this.tell({ type: 'refresh_failed', error: error as Error });
    } finally {
      this.loading = undefined;
    }
    this.isLoaded = true;
    this.letTimePass();
    this.scheduleRefresh();
  }

  /** Goes on from what was kept, or, where that is long ago or came too late, has its keys verify on. */
  private async restore(): Promise<void> {
    const kept = await this.keeper.read();
    if (!kept) return;
    if (kept.longestLifetime !== undefined) this.noteLifetime(kept.longestLifetime);
    const now = this.world.now();
    const isRecent = now < kept.savedAt + this.times().activationDelay + this.lag() * 1000;
    const canGoOn = this.ring === EMPTY_RING && isRecent;
    this.adopt(canGoOn ? kept.ring : withHistory(this.ring, kept.ring, this.times(), now));
  }

  private refuseWhileAway(): void {
    if (this.isLoaded || !this.failure) return;
    if (this.world.uptime() < this.failure.at + FAILURE_LASTS) throw this.failure.error;
  }

  private async refreshForKid(): Promise<void> {
    const now = this.world.uptime();
    if (now >= this.lastAskedForKid + UNKNOWN_KID_INTERVAL) {
      this.lastAskedForKid = now;
      void this.refresh();
    }
    await this.refreshing;
  }

  private async fetch(): Promise<void> {
    try {
      const fetched = await this.source.load();
      // A first fetch is being waited for, and its keys go on verifying.
      if (this.isStopped && this.isLoaded) return;
      if (this.isLoaded && !this.keeper.isRead) await this.restore();
      this.refuseSameName(fetched.signing);
      this.freshFor = fetched.freshFor;
      if (this.failure && this.isLoaded) this.tell({ type: 'refresh_recovered' });
      this.failure = undefined;
      if (fetched.problem) this.tell({ type: 'refresh_failed', error: fetched.problem });
      this.change(afterFetch(this.ring, fetched, this.times(), this.world.now()));
      this.keep();
    } catch (error) {
      this.failure = { error, at: this.world.uptime() };
      throw error;
    }
  }

  /** Two keys of one name cannot be told apart by a token: the second would never sign. */
  private refuseSameName(signing: SigningKey | undefined): void {
    const known = signing && this.keys.get(signing.kid);
    if (!known || known.jwk.x === signing.jwk.x) return;
    throw new KmsJwtOptionsError('kid', `must differ from key to key, but ${signing.kid} names two`);
  }

  private letTimePass(): void {
    if (this.change(afterTime(this.ring, this.times(), this.world.now()))) this.keep();
  }

  /** Says whether anything is different now. */
  private change(ring: Ring): boolean {
    const events = eventsBetween(this.ring, ring);
    this.adopt(ring);
    for (const event of events) this.tell(event);
    return events.length > 0;
  }

  private adopt(ring: Ring): void {
    this.ring = ring;
    this.keys = keysOf(ring);
    this.changesAt = nextChange(ring);
    clearTimeout(this.changeTimer);
    if (this.changesAt === Infinity || this.isStopped) return;
    this.changeTimer = timer(this.changesAt - this.world.now(), () => this.letTimePass());
  }

  private keep(): void {
    const { ring, longestLifetime } = this;
    this.keeper.write({ ring, savedAt: this.world.now(), longestLifetime });
  }

  private times(): RotationTimes {
    const retireAfter = (this.settings.retireAfter ?? this.longestLifetime ?? DAY) + this.lag();
    return { activationDelay: this.settings.activationDelay * 1000, retireAfter: retireAfter * 1000 };
  }

  /** For how long others may not have seen yet what was seen here, in seconds. */
  private lag(): number {
    return (this.freshFor ?? 0) * (1 + REFRESH_JITTER);
  }

  private scheduleRefresh(): void {
    clearTimeout(this.refreshTimer);
    if (this.freshFor === undefined || this.isStopped) return;
    const jitter = 1 + REFRESH_JITTER * (2 * this.world.random() - 1);
    const seconds = this.failure ? Math.min(this.freshFor, RETRY) : this.freshFor;
    this.refreshTimer = timer(seconds * 1000 * jitter, () => void this.refresh());
  }
}

/** Does not keep the process alive. */
function timer(milliseconds: number, run: () => void): NodeJS.Timeout {
  return setTimeout(run, Math.max(0, Math.min(milliseconds, MAX_TIMER))).unref();
}
