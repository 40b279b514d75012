import type { ExecutionContext } from '@nestjs/common';
import type { JwtClaims } from '../jwt/claims.js';
import type { TrustSource } from '../service/trust-sources.js';
import type { VerifiedToken } from '../service/token-verifier.js';
import type { ScopeClaims } from './scopes.js';

/** A token that the guard has verified by itself. */
export interface TokenOfCall extends ScopeClaims {
  readonly payload: JwtClaims;
  readonly source: TrustSource | undefined;
}

/**
 * The tokens that a guard has verified by itself: for their scopes, which a schema may have left out of the claims, and for
 * their issuer. By the context of the call, and by the token: an overridden `authenticate` may verify another one too.
 */
export class TokensOfCalls {
  private readonly byContext = new WeakMap<ExecutionContext, Map<string, TokenOfCall>>();

  /** Copies the scopes: an overridden `authenticate` may change the claims in place. */
  add(
    context: ExecutionContext,
    token: string,
    { payload, source, claims }: Omit<VerifiedToken, 'header'>,
  ): void {
    const { scope, scp } = (claims ?? {}) as JwtClaims;
    const byToken = this.byContext.get(context) ?? new Map<string, TokenOfCall>();
    this.byContext.set(context, byToken.set(token, { payload, source, scope, scp }));
  }

  /** Undefined for a token that the guard did not verify by itself. */
  of(context: ExecutionContext, token: string): TokenOfCall | undefined {
    return this.byContext.get(context)?.get(token);
  }
}
