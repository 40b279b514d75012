import { isPromise } from '../async/is-promise.js';
import { InsufficientScopeError, KmsJwtOptionsError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import { nameOf } from '../errors/redacted-cause.js';
import type { Log } from '../events/log.js';
import type { JwtClaims } from '../jwt/claims.js';
import type { IssuerSettings } from '../options/read-issuers.js';

/** The claims with the scopes of a token. */
export interface ScopeClaims {
  readonly scope: unknown;
  readonly scp: unknown;
}

/** Whether a value is a scope-token: RFC 6749, section 3.3. */
export function isScopeToken(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value);
}

/**
 * @param granted as an overridden `scopesOf` returned them
 * @throws KmsJwtOptionsError unless they are an array: a string would grant each scope that it contains
 * @throws InsufficientScopeError unless every scope is granted
 */
export function checkScopes(granted: unknown, required: readonly string[]): void {
  if (!Array.isArray(granted)) throw new KmsJwtOptionsError('scopesOf', 'must return an array of scopes');
  if (!required.every((scope) => granted.includes(scope))) throw new InsufficientScopeError(required);
}

/** The scopes in the claims `scope` (RFC 8693, section 4.2: separated by spaces) and `scp` (the same, or an array). */
export function scopesInClaims(claims: JwtClaims): readonly unknown[] {
  return [claims['scope'], claims['scp']].flatMap(scopesIn);
}

/** Whether an overridden `authenticate` has set scopes in the claims that differ from those that the guard returned to it. */
export function hasOwnScopes(claims: JwtClaims, returned: ScopeClaims): boolean {
  const isSet = (name: 'scope' | 'scp') => claims[name] !== undefined && claims[name] !== returned[name];
  return isSet('scope') || isSet('scp');
}

/** The scopes that the function `scopes` of an issuer returns; undefined if the issuer has no such function. */
export function scopesByIssuer(
  claims: JwtClaims,
  issuer: Pick<IssuerSettings, 'name' | 'scopes'> | undefined,
  log: Pick<Log, 'error'>,
): readonly unknown[] | undefined {
  if (!issuer?.scopes) return undefined;
  const { scopes, problem } = ask(issuer.scopes, claims);
  if (scopes) return scopes;
  log.error(
    `The function scopes of the issuer ${printableName(issuer.name)} ${problem}: the token has no scopes`,
  );
  return [];
}

function ask(
  find: (claims: JwtClaims) => unknown,
  claims: JwtClaims,
): { scopes: readonly unknown[]; problem?: never } | { scopes?: never; problem: string } {
  try {
    const scopes = find(claims);
    // A string would grant each scope that it contains.
    if (Array.isArray(scopes)) return { scopes };
    // An unhandled rejection would end the process.
    if (isPromise(scopes)) scopes.then(undefined, () => {});
    return { problem: 'must return an array' };
  } catch (error) {
    // What it throws may quote the claims.
    return { problem: `threw ${error instanceof Error ? nameOf(error) : typeof error}` };
  }
}

function scopesIn(claim: unknown): unknown[] {
  if (typeof claim === 'string') return claim.split(' ');
  return Array.isArray(claim) ? claim : [];
}
