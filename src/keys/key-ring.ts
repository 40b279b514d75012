import type { SigningKey, VerificationKey } from './signing-key.js';

/** For how long tokens are refused by a fetch that failed: a flood of them must not become a flood of calls. */
const FAILURE_LASTS_MILLISECONDS = 1000;

/** The keys that this service trusts: the active one signs, all verify. */
export class KeyRing {
  private current?: SigningKey;
  private loading?: Promise<SigningKey>;
  private failure?: { error: unknown; until: number };

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    private readonly source: { load(): Promise<SigningKey> },
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The key that signs. The first callers share one fetch; a fetch that failed is forgotten, for the next to try. */
  async active(): Promise<SigningKey> {
    if (this.current) return this.current;
    this.loading ??= this.load();
    return this.loading;
  }

  /** The key of that name, if this service trusts one. Anybody can ask, so that a failure is remembered for a second. */
  async find(kid: string): Promise<VerificationKey | undefined> {
    if (this.failure && this.now() < this.failure.until) throw this.failure.error;
    const key = await this.active();
    return key.kid === kid ? key : undefined;
  }

  /** Every key that verifies. */
  async all(): Promise<VerificationKey[]> {
    return [await this.active()];
  }

  private async load(): Promise<SigningKey> {
    try {
      this.current = await this.source.load();
      delete this.failure;
      return this.current;
    } catch (error) {
      this.failure = { error, until: this.now() + FAILURE_LASTS_MILLISECONDS };
      throw error;
    } finally {
      delete this.loading;
    }
  }
}
