import type { ExecutionContext } from '@nestjs/common';
import { withDeadline, within } from '../async/deadline.js';
import { AuthenticationTimeoutError } from '../errors/errors.js';
import { bindCall } from './call.js';
import type { KmsJwtGuard } from './kms-jwt.guard.js';
import type { Verified } from './verified-token.js';
import { tokenOf, verifyCall } from './verify-call.js';

/**
 * Verifies the token of a WebSocket handshake, within a time limit: an overridden `authenticate` may never settle.
 *
 * @throws AuthenticationTimeoutError
 */
export function verifyHandshake(
  guard: KmsJwtGuard,
  context: ExecutionContext,
): Promise<Verified | undefined> {
  // In brackets, because these members of the guard are private.
  const call = bindCall(context, guard['routes']);
  const { access } = call.route;
  const limit = guard['jwt'].verdictTimeout;
  const late = (blockedMs: number) =>
    new AuthenticationTimeoutError(`The token was not verified ${within(limit, blockedMs)}`);
  const verify = async () => {
    const token = tokenOf(guard, call, access === 'elsewhere' ? 'required' : access);
    return token === undefined ? undefined : verifyCall(guard, token, call);
  };
  return withDeadline(verify, limit, late);
}
