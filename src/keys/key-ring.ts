import type { SigningKey, VerificationKey } from './signing-key.js';

/** The keys that this service trusts: the active one signs, all verify. */
export class KeyRing {
  private current?: SigningKey;
  private loading?: Promise<SigningKey>;

  constructor(private readonly source: { load(): Promise<SigningKey> }) {}

  /** The key that signs. The first callers share one fetch; a fetch that failed is forgotten, for the next to try. */
  async active(): Promise<SigningKey> {
    if (this.current) return this.current;
    this.loading ??= this.load();
    return this.loading;
  }

  /** The key of that name, if this service trusts one. */
  async find(kid: string): Promise<VerificationKey | undefined> {
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
      return this.current;
    } finally {
      delete this.loading;
    }
  }
}
