import { KmsKeyError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { VerificationKey } from '../jwt/jwk.js';
import type { SigningKey } from './signing-key.js';

/** The key that is to sign is distrusted. */
export class DistrustedKeyError extends KmsKeyError {
  override readonly name = 'KmsKeyError';

  constructor({ keyArn }: SigningKey) {
    super(
      `The KMS key ${printableName(keyArn)} is distrusted (rotation.distrustedKeys): move the alias to another key`,
    );
  }
}

/**
 * The keys that are never trusted again, by `kid` or by thumbprint (RFC 7638). The set only grows: a key that was listed by its
 * `kid` is recognized by its thumbprint from then on, so that it does not come back under another `kid`.
 */
export class DistrustedKeys {
  private readonly identifiers: Set<string>;
  private readonly kids = new Set<string>();

  /** @param emit receives each distrusted key when it is first seen */
  constructor(
    identifiers: readonly string[],
    private readonly emit: (event: KmsJwtEvent) => void,
  ) {
    this.identifiers = new Set(identifiers);
  }

  /** Every kid and thumbprint, for the store. */
  get all(): string[] {
    return [...this.identifiers];
  }

  add(identifiers: readonly string[]): void {
    for (const identifier of identifiers) this.identifiers.add(identifier);
  }

  /** Whether a distrusted key has that `kid`. A trusted key may have it, too. */
  hasKid(kid: string): boolean {
    return this.identifiers.has(kid) || this.kids.has(kid);
  }

  /** @returns a function that says whether one of these keys is trusted */
  filterFor(keys: readonly VerificationKey[]): (key: VerificationKey) => boolean {
    if (this.identifiers.size === 0) return () => true;
    // First for all keys: one that is listed by its kid may also be present under another kid.
    for (const { kid, thumbprint } of keys) if (this.identifiers.has(kid)) this.identifiers.add(thumbprint);
    for (const { kid, thumbprint } of keys) if (this.identifiers.has(thumbprint)) this.report(kid);
    return ({ kid, thumbprint }) => !this.identifiers.has(kid) && !this.identifiers.has(thumbprint);
  }

  private report(kid: string): void {
    if (this.kids.has(kid)) return;
    this.kids.add(kid);
    this.emit({ type: 'key_distrusted', kid });
  }
}
