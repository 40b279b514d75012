import { isDeepStrictEqual } from 'node:util';
import { LRUCache } from 'lru-cache';
import { IssuerUnavailableError, KmsJwtOptionsError } from '../errors/errors.js';
import { type Clock, SYSTEM_CLOCK } from '../keys/clock.js';
import { ElapsedTime } from '../keys/elapsed-time.js';
import { ConcurrencyLimit } from '../kms/concurrency-limit.js';
import { REFRESH_JITTER } from '../options/defaults.js';
import { AMBIGUOUS, type IssuerSettings } from '../options/read-issuers.js';
import { notAccepted, type TrustSource } from './trust-sources.js';

/** The source of another issuer. */
export interface IssuerSource extends TrustSource {
  readonly issuer: IssuerSettings;
  /** Ends the trust in its keys. */
  end(): Promise<void>;
}

/** How issuers are found. */
export interface IssuerFinder {
  /** Asks the app for an issuer; undefined if it is not accepted. */
  lookUp(iss: string): Promise<IssuerSettings | undefined>;
  /** Creates the source of an issuer. */
  open(issuer: IssuerSettings): Promise<IssuerSource>;
  /** Called if a known issuer could not be looked up again; it stays accepted meanwhile. */
  onFailure(error: Error): void;
}

export interface FoundIssuersSettings {
  /** The number of issuers that are kept; the least recently used is dropped first. */
  readonly maxIssuers: number;
  /** After how many seconds the app is asked again. */
  readonly refreshInterval: number;
  /** For how many seconds an issuer is accepted while the app cannot be asked again. */
  readonly maxStale: number;
  /** The longest wait for other lookups, in milliseconds. */
  readonly timeout: number;
}

interface Found {
  readonly source: IssuerSource;
  /** When the lookup that returned it was sent, and when the next one is due, in milliseconds. */
  readonly askedAt: number;
  askAt: number;
  /** Whether the last lookup failed. */
  hasFailed: boolean;
}

/** The number of lookups at a time, each of another issuer. */
const MAX_LOOKUPS = 10;
/** A longer `iss` is refused, so that it cannot fill the memory. */
const MAX_ISSUER_LENGTH = 2048;
/** Unknown issuers are remembered for a short time, separately, so that random ones cannot displace the known ones. */
const UNKNOWN_ISSUERS = { max: 1000, ttl: 30_000 };
/** The time from a failed lookup of a known issuer to the next, in milliseconds. */
const RETRY_MS = 30_000;

/**
 * The issuers found by the app's function `issuers`. It is called again for each issuer in use, so that an issuer that it no
 * longer returns is no longer accepted.
 */
export class FoundIssuers {
  private readonly found: LRUCache<string, Found>;
  private readonly unknown = new LRUCache<string, { hasEnded: boolean }>(UNKNOWN_ISSUERS);
  private readonly lookups = new Map<string, Promise<IssuerSource | undefined>>();
  /** The names of those that are being opened, by `iss`. */
  private readonly opening = new Map<string, string>();
  private readonly slots = new ConcurrencyLimit({ maxConcurrency: MAX_LOOKUPS, maxQueue: Infinity });
  private readonly elapsed: ElapsedTime;
  /** How much more time may have passed than `elapsed` shows. It is added, so that the app is asked too early rather than too late. */
  private unexplained = 0;
  private isStopped = false;

  constructor(
    private readonly finder: IssuerFinder,
    private readonly settings: FoundIssuersSettings,
    clock: Clock = SYSTEM_CLOCK,
  ) {
    this.elapsed = new ElapsedTime(clock, ({ unexplained }) => {
      this.unexplained += Math.max(0, unexplained);
    });
    this.found = new LRUCache({
      max: settings.maxIssuers,
      // An issuer that is found again may keep its ring.
      dispose: ({ source }, _, reason) => void (reason !== 'set' && source.ring.stop()),
    });
  }

  /** Those that are known now. */
  get sources(): TrustSource[] {
    return [...this.found.values()].map(({ source }) => source);
  }

  /**
   * The source of tokens with that `iss`. A known issuer is looked up again in the background. If that is overdue, because no
   * token has come for a long time, the token waits for it.
   *
   * @returns a promise only if the app has to be asked first
   * @throws TokenClaimError for an issuer that is not accepted; IssuerUnavailableError if the lookup fails
   */
  select(iss: string): TrustSource | Promise<TrustSource> {
    const found = this.found.get(iss);
    if (found && (this.now() < found.askAt || this.isStopped)) return found.source;
    if (!found && (iss.length > MAX_ISSUER_LENGTH || this.unknown.has(iss))) throw notAccepted();
    const lookup = this.lookups.get(iss) ?? this.lookUp(iss, found);
    if (found && !this.isOverdue(found)) return found.source;
    return lookup.then((source) => source ?? refuse());
  }

  /** Whether the app returned that issuer before, but no longer at its last lookup, less than 30 seconds ago. */
  hasEnded(iss: string): boolean {
    return this.unknown.get(iss)?.hasEnded ?? false;
  }

  /** Ends the refreshes of keys, including those of an issuer whose lookup is in progress. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.sources.map(({ ring }) => ring.stop()));
  }

  private now(): number {
    return this.elapsed.now() + this.unexplained;
  }

  private isOverdue({ askedAt, hasFailed }: Found): boolean {
    const { refreshInterval, maxStale } = this.settings;
    const limit = hasFailed ? maxStale : refreshInterval * (1 + REFRESH_JITTER);
    return this.now() >= askedAt + limit * 1000;
  }

  private lookUp(iss: string, found: Found | undefined): Promise<IssuerSource | undefined> {
    // Lookups of known issuers wait in the queue: tokens with a random iss must not prevent them.
    if (!found && this.slots.isFull) throw tooMany();
    const lookup = this.lookUpNow(iss, found).finally(() => this.lookups.delete(iss));
    this.lookups.set(iss, lookup);
    // In the background, nothing handles its rejection.
    lookup.catch(() => {});
    return lookup;
  }

  private async lookUpNow(iss: string, found: Found | undefined): Promise<IssuerSource | undefined> {
    const askedAt = this.now();
    try {
      await this.slots.acquire(this.settings.timeout);
    } catch {
      return this.failed(iss, found, tooMany());
    }
    try {
      const issuer = await this.finder.lookUp(iss);
      return issuer ? await this.accept(iss, issuer, askedAt) : await this.end(iss);
    } catch (error) {
      return this.failed(iss, found, error as Error);
    } finally {
      this.slots.release();
    }
  }

  private async accept(iss: string, issuer: IssuerSettings, askedAt: number): Promise<IssuerSource> {
    // Events and open connections identify the issuer by its name.
    if (this.isNameOfAnother(iss, issuer.name)) throw new KmsJwtOptionsError('issuers().name', AMBIGUOUS);
    this.opening.set(iss, issuer.name);
    try {
      const known = this.found.peek(iss)?.source;
      const hasSameKeys = known && isDeepStrictEqual(keysOf(known.issuer), keysOf(issuer));
      const source = hasSameKeys ? { ...known, issuer } : await this.open(issuer, known);
      const askAt = askedAt + this.settings.refreshInterval * 1000;
      this.found.set(iss, { source, askedAt, askAt, hasFailed: false });
      return source;
    } finally {
      this.opening.delete(iss);
    }
  }

  /** Issuers that are being opened count: another lookup may have returned the same name at the same time. */
  private isNameOfAnother(iss: string, name: string): boolean {
    const known = [...this.found.entries()].map(([of, { source }]) => [of, source.name] as const);
    return [...known, ...this.opening].some(([of, taken]) => of !== iss && taken === name);
  }

  private async open(issuer: IssuerSettings, previous: IssuerSource | undefined): Promise<IssuerSource> {
    const source = await this.finder.open(issuer);
    if (previous) {
      // First, because both may have a key with the same kid.
      await previous.end();
      void source.ring.refresh();
    }
    if (this.isStopped) await source.ring.stop();
    return source;
  }

  private async end(iss: string): Promise<undefined> {
    const source = this.found.peek(iss)?.source;
    this.unknown.set(iss, { hasEnded: source !== undefined });
    this.found.delete(iss);
    await source?.end();
  }

  /** A known issuer stays accepted while lookups fail, for up to `maxStale`. */
  private async failed(iss: string, found: Found | undefined, error: Error): Promise<IssuerSource> {
    if (!found) throw error;
    this.finder.onFailure(error);
    const staleAt = found.askedAt + this.settings.maxStale * 1000;
    if (this.now() >= staleAt) {
      this.found.delete(iss);
      await found.source.end();
      throw error;
    }
    found.hasFailed = true;
    found.askAt = Math.min(this.now() + RETRY_MS, staleAt);
    return found.source;
  }
}

/** What the keys of an issuer depend on, and the name by which their events are distinguished. */
function keysOf({ name, algorithms, keys, allowInsecureHttp }: IssuerSettings): object {
  return { name, algorithms, keys, allowInsecureHttp };
}

function tooMany(): IssuerUnavailableError {
  return new IssuerUnavailableError(`Too many issuers are being looked up at the same time (${MAX_LOOKUPS})`);
}

function refuse(): never {
  throw notAccepted();
}
