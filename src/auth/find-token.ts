import type { ExecutionContext } from '@nestjs/common';
import { KmsJwtOptionsError, OriginNotAllowedError } from '../errors/errors.js';
import { originFrom } from '../options/origin.js';
import type { GuardSettings } from '../options/settings.js';
import { extractToken, fromAuthHeader, isFromCookie } from './token-extractors.js';
import type { Transport } from './transports/transport.js';

const DEFAULT_EXTRACTORS = [fromAuthHeader()];

/**
 * Finds the token that a call, or the handshake of its connection, carries.
 *
 * @throws TokenAmbiguousError for more than one
 * @throws OriginNotAllowedError, KmsJwtOptionsError for one in a cookie of a handshake that another site may have caused
 */
export function findToken(
  transport: Transport,
  context: ExecutionContext,
  { tokenFrom = DEFAULT_EXTRACTORS, allowedOrigins }: GuardSettings,
): string | undefined {
  const carriers = transport.carriersOf(context);
  const token = extractToken(carriers, tokenFrom);
  const isCookie = token !== undefined && isFromCookie(carriers, token);
  if (isCookie) checkOrigin(transport.originOf?.(context), allowedOrigins);
  return token;
}

/**
 * Checks the `Origin` of a handshake whose token is in a cookie. Browsers send both with a connection that any site opens,
 * and CORS does not keep that site from reading its messages.
 *
 * @param origin the header; undefined if there is none, which means that the client is not a browser
 * @param allowedOrigins serialized
 * @throws KmsJwtOptionsError when no origins are configured
 * @throws OriginNotAllowedError
 */
function checkOrigin(
  origin: string | string[] | undefined,
  allowedOrigins: readonly string[] | undefined,
): void {
  if (origin === undefined) return;
  if (!allowedOrigins) {
    throw new KmsJwtOptionsError(
      'guard.allowedOrigins',
      'is missing: it must list the origins whose pages may open a WebSocket with a token in a cookie',
    );
  }
  const serialized = typeof origin === 'string' ? originFrom(origin) : undefined;
  if (serialized === undefined || !allowedOrigins.includes(serialized)) throw new OriginNotAllowedError();
}
