import { TokenClaimError } from '../errors/errors.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { IssuerSettings } from '../options/read-issuers.js';
import type { VerifySettings } from '../options/settings.js';
import type { FoundIssuers } from './found-issuers.js';
import type { KmsJwtHealth } from './kms-jwt-health.js';
import type { TokenVerifier } from './token-verifier.js';

/** Keys, and the verifier of their tokens. Sources share nothing with each other. */
export interface TrustSource {
  readonly name: string;
  readonly ring: KeyRing;
  readonly verifier: TokenVerifier;
  /** Undefined for the module's own tokens, whose rules are in the options of the module. */
  readonly issuer: IssuerSettings | undefined;
}

/**
 * Whose tokens a service accepts: its own, and those of other issuers. The `iss` of a token that is not verified yet only
 * selects the source, by exact match.
 */
export class TrustSources {
  private readonly listed: ReadonlyMap<string, TrustSource>;

  /**
   * @param own undefined in a service that only accepts tokens of others
   * @param ownIssuer the `iss` of the service's own tokens; undefined if they have none
   * @param found undefined if `listed` has all issuers
   */
  constructor(
    private readonly own: TrustSource | undefined,
    private readonly ownIssuer: VerifySettings['issuer'],
    listed: readonly (TrustSource & { issuer: IssuerSettings })[],
    private readonly found?: FoundIssuers,
  ) {
    this.listed = new Map(listed.map((source) => [source.issuer.issuer, source]));
  }

  /** Those of other issuers that are known now. */
  private get others(): TrustSource[] {
    return [...this.listed.values(), ...(this.found?.sources ?? [])];
  }

  /**
   * The source of tokens with that `iss`.
   *
   * @returns a promise only if the app has to be asked for the issuer
   * @throws TokenClaimError for an issuer that is not accepted; IssuerUnavailableError if the lookup fails
   */
  select(iss: unknown): TrustSource | Promise<TrustSource> {
    if (iss !== undefined && typeof iss !== 'string') {
      throw new TokenClaimError('iss', 'type', 'The iss claim must be a string');
    }
    if (iss === undefined) return this.withoutIssuer();
    const source = this.listed.get(iss) ?? (this.ownIssuer?.includes(iss) ? this.own : undefined);
    if (source) return source;
    if (!this.found) throw notAccepted();
    return this.found.select(iss);
  }

  /** The known source of tokens with that `iss`; undefined if there is none, even if a lookup could find it. */
  known(iss: unknown): TrustSource | undefined {
    if (iss === undefined) return this.ownIssuer ? undefined : this.own;
    if (typeof iss !== 'string') return undefined;
    if (this.ownIssuer?.includes(iss)) return this.own;
    return this.others.find(({ issuer }) => issuer?.issuer === iss);
  }

  /** Returns the source. @throws TokenClaimError if the app no longer returns its issuer */
  unlessEnded(source: TrustSource): TrustSource {
    if (source.issuer && this.found?.hasEnded(source.issuer.issuer)) throw notAccepted();
    return source;
  }

  /** The state of the keys of other issuers. */
  get health(): Pick<KmsJwtHealth, 'issuers' | 'issuersAreFound'> {
    const issuers = Object.fromEntries(this.others.map(({ name, ring }) => [name, ring.health]));
    return { issuers, ...(this.found && { issuersAreFound: true }) };
  }

  /** Begins to fetch the keys of the listed issuers. */
  load(): void {
    for (const { ring } of this.listed.values()) void ring.refresh();
  }

  /** The names of all sources; undefined if a function finds the issuers. */
  get names(): string[] | undefined {
    if (this.found) return undefined;
    return [...(this.own ? [this.own] : []), ...this.others].map(({ name }) => name);
  }

  /** Ends the refreshes of the keys of other issuers, including those whose lookup is in progress. */
  async stop(): Promise<void> {
    await Promise.all([this.found?.stop(), ...[...this.listed.values()].map(({ ring }) => ring.stop())]);
  }

  private withoutIssuer(): TrustSource {
    if (this.own && !this.ownIssuer) return this.own;
    throw new TokenClaimError('iss', 'missing', 'The iss claim is missing');
  }
}

export function notAccepted(): TokenClaimError {
  return new TokenClaimError('iss', 'mismatch', 'The iss claim does not match the expected issuer');
}
