import type { ExecutionContext } from '@nestjs/common';
import type { JwtClaims } from '../jwt/claims.js';

/**
 * The payloads of the tokens that a guard has verified, for their scopes, which a schema may have left out of the claims. By the context of the call,
 * and by the token: an overridden `authenticate` may verify another one too.
 */
export class VerifiedPayloads {
  private readonly byContext = new WeakMap<ExecutionContext, Map<string, JwtClaims>>();

  add(context: ExecutionContext, token: string, payload: JwtClaims): void {
    const byToken = this.byContext.get(context) ?? new Map<string, JwtClaims>();
    this.byContext.set(context, byToken.set(token, payload));
  }

  /** Undefined for a token that the guard did not verify by itself. */
  of(context: ExecutionContext, token: string): JwtClaims | undefined {
    return this.byContext.get(context)?.get(token);
  }
}
