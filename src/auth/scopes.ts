import { InsufficientScopeError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';

/** Whether a value is a scope-token: RFC 6749, section 3.3. */
export function isScopeToken(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value);
}

/**
 * Checks that a token grants every scope, in the claim `scope` (RFC 8693, section 4.2: separated by spaces) or `scp`
 * (the same, or an array).
 *
 * @throws InsufficientScopeError
 */
export function checkScopes(claims: JwtClaims, required: readonly string[]): void {
  const granted = new Set([claims['scope'], claims['scp']].flatMap(scopesIn));
  if (!required.every((scope) => granted.has(scope))) throw new InsufficientScopeError(required);
}

function scopesIn(claim: unknown): unknown[] {
  if (typeof claim === 'string') return claim.split(' ');
  return Array.isArray(claim) ? claim : [];
}
