import { LRUCache } from 'lru-cache';
import { IssuerUnavailableError, KmsJwtOptionsError, TokenClaimError, TokenError } from '../errors/errors.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { RingHealth } from '../keys/ring-health.js';
import { AMBIGUOUS, type IssuerSettings } from '../options/read-issuers.js';
import type { VerifySettings } from '../options/settings.js';
import type { TokenVerifier } from './token-verifier.js';

/** Keys, and the verifier of their tokens. Nothing of it is shared with another source. */
export interface TrustSource {
  readonly name: string;
  readonly ring: KeyRing;
  readonly verifier: TokenVerifier;
  /** Undefined for the own tokens, of which the options of the module say what they have to be. */
  readonly issuer: IssuerSettings | undefined;
}

/** Finds an issuer that the options do not list; undefined if it is not accepted. */
export type IssuerLookup = (iss: string) => Promise<IssuerSettings | undefined>;

export interface TrustSourcesSettings {
  /** The `iss` of the own tokens; undefined if they have none. */
  readonly ownIssuer: VerifySettings['issuer'];
  /** The number of issuers found by look-ups that are kept; the least recently used goes first. */
  readonly maxIssuers: number;
}

/** The number of look-ups at a time, each of another issuer. */
const MAX_LOOKUPS = 10;
/** A longer `iss` is that of no issuer, so that it cannot fill the memory. */
const MAX_ISSUER_LENGTH = 2048;
/** Unknown issuers are remembered for a short time, apart from the known ones, so that random ones cannot displace these. */
const UNKNOWN_ISSUERS = { max: 1000, ttl: 30_000 };

/**
 * Whose tokens a service accepts: its own, and those of other issuers. The `iss` of a token that is not verified yet only
 * selects the source, by exact match.
 */
export class TrustSources {
  private readonly listed: ReadonlyMap<string, TrustSource>;
  private readonly found: LRUCache<string, TrustSource>;
  private readonly unknown = new LRUCache<string, true>(UNKNOWN_ISSUERS);
  private readonly lookups = new Map<string, Promise<TrustSource | undefined>>();
  private isStopped = false;

  /**
   * @param own undefined in a service that only accepts tokens of others
   * @param lookUp undefined if `listed` has all issuers
   * @param open makes the source of an issuer that was looked up
   */
  constructor(
    private readonly own: TrustSource | undefined,
    listed: readonly (TrustSource & { issuer: IssuerSettings })[],
    private readonly settings: TrustSourcesSettings,
    private readonly lookUp: IssuerLookup | undefined,
    private readonly open: (issuer: IssuerSettings) => Promise<TrustSource>,
  ) {
    this.listed = new Map(listed.map((source) => [source.issuer.issuer, source]));
    this.found = new LRUCache({
      max: settings.maxIssuers,
      dispose: ({ ring }) => void ring.stop(),
    });
  }

  /** Those of other issuers that are known now. */
  private get others(): TrustSource[] {
    return [...this.listed.values(), ...this.found.values()];
  }

  /**
   * The source of tokens with that `iss`.
   *
   * @returns a promise only if the issuer has to be looked up
   * @throws TokenClaimError for an issuer that is not accepted; IssuerUnavailableError if that cannot be found out now
   */
  select(iss: unknown): TrustSource | Promise<TrustSource> {
    if (iss !== undefined && typeof iss !== 'string') {
      throw new TokenClaimError('iss', 'type', 'The iss claim must be a string');
    }
    if (iss === undefined) return this.withoutIssuer();
    const source = this.listed.get(iss) ?? this.found.get(iss) ?? (this.isOwn(iss) ? this.own : undefined);
    if (source) return source;
    const isLookedUp = this.lookUp && iss.length <= MAX_ISSUER_LENGTH;
    if (!isLookedUp || this.unknown.has(iss)) throw notAccepted();
    return this.find(iss);
  }

  /**
   * The source of a token that was verified; undefined if it is of no issuer that is accepted, as the app verified it by itself.
   *
   * @throws IssuerUnavailableError if it was displaced meanwhile, and cannot be looked up again now
   */
  async of(iss: unknown): Promise<TrustSource | undefined> {
    try {
      return await this.select(iss);
    } catch (error) {
      if (error instanceof TokenError) return undefined;
      throw error;
    }
  }

  /** The state of the keys of other issuers, by name. */
  get health(): Record<string, RingHealth> {
    return Object.fromEntries(this.others.map(({ name, ring }) => [name, ring.health]));
  }

  /** Begins to fetch the keys of the listed issuers. */
  load(): void {
    for (const { ring } of this.listed.values()) void ring.refresh();
  }

  /** The names of all; undefined if issuers are looked up. */
  get names(): string[] | undefined {
    if (this.lookUp) return undefined;
    return [...(this.own ? [this.own] : []), ...this.others].map(({ name }) => name);
  }

  /** Ends the refreshes of the keys of other issuers, also of those that are looked up now. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.others.map(({ ring }) => ring.stop()));
  }

  private withoutIssuer(): TrustSource {
    if (this.own && !this.settings.ownIssuer) return this.own;
    throw new TokenClaimError('iss', 'missing', 'The iss claim is missing');
  }

  private isOwn(iss: string): boolean {
    return this.settings.ownIssuer?.includes(iss) ?? false;
  }

  private async find(iss: string): Promise<TrustSource> {
    const source = await this.lookUpOnce(iss);
    if (!source) throw notAccepted();
    return source;
  }

  private lookUpOnce(iss: string): Promise<TrustSource | undefined> {
    const pending = this.lookups.get(iss);
    if (pending) return pending;
    if (this.lookups.size >= MAX_LOOKUPS) {
      throw new IssuerUnavailableError(`${MAX_LOOKUPS} other issuers are being looked up`);
    }
    const lookup = this.lookUpNow(iss).finally(() => this.lookups.delete(iss));
    this.lookups.set(iss, lookup);
    return lookup;
  }

  private async lookUpNow(iss: string): Promise<TrustSource | undefined> {
    const issuer = await this.lookUp?.(iss);
    if (!issuer) {
      this.unknown.set(iss, true);
      return undefined;
    }
    // Events, and what a connection relies on, are distinguished by the name.
    if (this.others.some(({ name }) => name === issuer.name)) {
      throw new KmsJwtOptionsError('issuers().name', AMBIGUOUS);
    }
    const source = await this.open(issuer);
    this.found.set(iss, source);
    if (this.isStopped) await source.ring.stop();
    return source;
  }
}

export function notAccepted(): TokenClaimError {
  return new TokenClaimError('iss', 'mismatch', 'The iss claim does not match the expected issuer');
}
