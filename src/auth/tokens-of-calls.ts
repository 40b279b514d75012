import type { ExecutionContext } from '@nestjs/common';
import type { VerifiedToken } from '../service/token-verifier.js';

/**
 * The tokens that a guard has verified by itself: for their scopes, which a schema may have left out of the claims, and for
 * their issuer. By the context of the call, and by the token: an overridden `authenticate` may verify another one too.
 */
export class TokensOfCalls {
  private readonly byContext = new WeakMap<ExecutionContext, Map<string, VerifiedToken>>();

  add(context: ExecutionContext, token: string, verified: VerifiedToken): void {
    const byToken = this.byContext.get(context) ?? new Map<string, VerifiedToken>();
    this.byContext.set(context, byToken.set(token, verified));
  }

  /** Undefined for a token that the guard did not verify by itself. */
  of(context: ExecutionContext, token: string): VerifiedToken | undefined {
    return this.byContext.get(context)?.get(token);
  }
}
