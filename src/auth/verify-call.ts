import type { ExecutionContext } from '@nestjs/common';
import { TokenMissingError } from '../errors/errors.js';
import { OWN_ISSUER } from '../options/read-issuers.js';
import type { Call } from './call.js';
import { findToken } from './find-token.js';
import type { KmsJwtGuard } from './kms-jwt.guard.js';
import { renewedToken, watchCall } from './open-connections.js';
import { placeOnRequest, recordClaims } from './request-claims.js';
import type { Route } from './routes.js';
import { checkScopes, hasOwnScopes, scopesByIssuer } from './scopes.js';
import { transportOf } from './transports/index.js';
import { checkAuthenticated, checkIssuer, type Verified } from './verified-token.js';

// Parts of KmsJwtGuard, which use its private and protected members.

/** Implements `KmsJwtGuard.getToken`: finds the token of a call, by the module's `guard.tokenFrom`. */
export function configuredToken(guard: KmsJwtGuard, context: ExecutionContext): string | undefined {
  const transport = transportOf(context);
  const found = findToken(transport, context, guard['jwt'].guardSettings);
  const connection = found === undefined ? undefined : transport.connectionOf?.(context);
  // Once the app has removed the token of the handshake, as at a logout, a renewed token does not count either.
  if (!connection?.hasCalls) return found;
  return renewedToken(connection, guard['registration']) ?? found;
}

/** @throws TokenMissingError if the call must not pass without a token */
export function tokenOf(
  guard: KmsJwtGuard,
  { context, route }: Call,
  access: Route['access'],
): string | undefined {
  if (access === 'public') return undefined;
  const token = guard['getToken'](context);
  if (token) return token;
  if (access === 'optional' && route.scopes.length === 0) return undefined;
  throw new TokenMissingError();
}

/** Verifies the token of a call with the options, issuers and scopes of its route. */
export async function verifyCall(
  guard: KmsJwtGuard,
  token: string,
  { context, route }: Call,
): Promise<Verified> {
  const jwt = guard['jwt'];
  const claims = checkAuthenticated(await guard['authenticate'](token, context));
  const known = guard['tokens'].of(context, token);
  const source = known?.source && jwt.accepted.unlessEnded(known.source);
  // The `iss` of a token that only an overridden `authenticate` has verified says nothing about its issuer.
  const issuerName = known && (source?.name ?? OWN_ISSUER);
  checkIssuer(issuerName, route.options);
  if (route.scopes.length > 0) {
    const verified = known && !hasOwnScopes(claims, known) ? known.payload : claims;
    const granted = scopesByIssuer(verified, source?.issuer, jwt.log);
    checkScopes(granted ?? (await guard['scopesOf'](verified, context)), route.scopes);
  }
  return { token, claims, source, issuerName, jwt, registration: guard['registration'] };
}

/** Records the claims of a call, and ends its stream or connection once the token is no longer valid. */
export function recordVerified(
  guard: KmsJwtGuard,
  { context, transport, route }: Call,
  verified: Verified,
): void {
  recordClaims(transport, context, verified);
  const connection = transport.connectionOf?.(context);
  if (connection) {
    const handshakeToken = () => configuredToken(guard, context);
    watchCall(connection, verified, { options: route.options, handshakeToken });
  }
  placeOnRequest(transport.requestOf(context), guard['jwt'].guardSettings.property, verified);
}
