import { KmsJwtOptionsError } from '../errors/errors.js';
import type { RouteVerifyOptions } from '../options/kms-jwt.options.js';
import { reportRefusal } from './refusal.js';
import type { OpenConnection } from './transports/transport.js';
import type { Verified } from './verified-token.js';

/** The current token of a connection or stream. */
interface Current {
  readonly token: string;
  /** Whether it came after the connection had been opened, so that the handshake does not have it. */
  readonly isRenewed: boolean;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  /** The highest rank of `verification` among the options that it is watched with. */
  readonly rank: number;
  readonly stopWatching: () => void;
}

/** By connection and registration: guards of two registrations may each have verified a token of one connection. */
const connections = new WeakMap<object, Map<string, Current>>();

/** The token that `renewConnection` has set for the connection, if any. */
export function renewedToken(connection: OpenConnection, registration: string): string | undefined {
  const current = connections.get(connection.key)?.get(registration);
  return current?.isRenewed ? current.token : undefined;
}

/**
 * Ends the connection, or stream, once its token is no longer valid.
 *
 * @param options the options that the token was verified with, in addition to the module's
 * @throws TokenExpiredError, TokenKeyUnknownError if it is not valid now
 */
export function watchConnection(
  connection: OpenConnection,
  verified: Verified,
  options: RouteVerifyOptions | undefined,
): void {
  // The client may have left while its token was verified.
  if (connection.isClosed) return;
  const byRegistration = connections.get(connection.key) ?? new Map<string, Current>();
  if (!connections.has(connection.key)) {
    connections.set(connection.key, byRegistration);
    connection.onClosed(() => {
      for (const { stopWatching } of byRegistration.values()) stopWatching();
      byRegistration.clear();
    });
  }
  // Each gateway of a server accepts the client, with its own options.
  const known = byRegistration.get(verified.registration);
  const added = watch(connection, verified, options);
  byRegistration.set(verified.registration, known ? withStop(known, added) : { ...added, isRenewed: false });
}

/** What `watchCall` needs to know of a call. */
interface Call {
  /** The options that the token was verified with, in addition to the module's. */
  readonly options: RouteVerifyOptions | undefined;
  handshakeToken(): string | undefined;
}

/**
 * Ends a stream once the token of its call is no longer valid, and a connection once that of its handshake is not. The token of
 * a single message never ends a connection.
 *
 * @throws what `watchConnection` throws
 */
export function watchCall(connection: OpenConnection, verified: Verified, call: Call): void {
  const current = connections.get(connection.key)?.get(verified.registration);
  // The options of one message, or of one field of a query, are not those of its connection.
  const options = !connection.hasCalls || connection.callGoesOn ? call.options : undefined;
  if (current && !hasMoreToWatch(verified, options, current)) return;
  if (connection.hasCalls && !isTokenOfHandshake(call, verified.token)) return;
  watchConnection(connection, verified, options);
}

/** Avoids superfluous watches: a client can subscribe any number of times, and each watch takes memory and is rechecked. */
function hasMoreToWatch(
  verified: Verified,
  options: RouteVerifyOptions | undefined,
  current: Current,
): boolean {
  if (rankOf(options) > current.rank) return true;
  return options !== undefined && verified.jwt.accepted.expiryOf(verified, options) < current.expiresAt;
}

/** KMS may recheck a watch with options of a higher rank where it does not recheck one of a lower rank. */
function rankOf(options: RouteVerifyOptions | undefined): number {
  if (options?.verification === 'kms') return 2;
  return options?.verification === 'local' ? 0 : 1;
}

function isTokenOfHandshake(call: Call, token: string): boolean {
  try {
    return call.handshakeToken() === token;
  } catch {
    // The handshake has two tokens, and the message has its own.
    return false;
  }
}

/**
 * Replaces the token of a connection.
 *
 * @param check throws unless the token may replace the current one
 * @throws KmsJwtOptionsError for a connection without a token, and what `check` and `watchConnection` throw
 */
export function renewWatch(
  connection: OpenConnection,
  renewed: Verified,
  options: readonly (RouteVerifyOptions | undefined)[],
  check: (current: string) => void,
): void {
  const byRegistration = connections.get(connection.key);
  const current = byRegistration?.get(renewed.registration);
  if (!byRegistration || !current || connection.isClosed) {
    throw new KmsJwtOptionsError(
      'renewConnection',
      'needs an open connection that acceptConnection has accepted',
    );
  }
  check(current.token);
  let next: Current = {
    token: renewed.token,
    isRenewed: true,
    expiresAt: Infinity,
    rank: 0,
    stopWatching() {},
  };
  try {
    for (const ofGateway of options) next = withStop(next, watch(connection, renewed, ofGateway));
  } catch (error) {
    // The connection keeps its old token, and must not end with the refused one.
    next.stopWatching();
    throw error;
  }
  current.stopWatching();
  byRegistration.set(renewed.registration, next);
}

/** The same token, watched with further options. */
function withStop(
  current: Current,
  { expiresAt, rank, stopWatching }: Omit<Current, 'token' | 'isRenewed'>,
): Current {
  const stopBoth = () => {
    current.stopWatching();
    stopWatching();
  };
  return {
    ...current,
    expiresAt: Math.min(current.expiresAt, expiresAt),
    rank: Math.max(current.rank, rank),
    stopWatching: stopBoth,
  };
}

function watch(connection: OpenConnection, verified: Verified, options: RouteVerifyOptions | undefined) {
  const { token, jwt } = verified;
  const stopWatching = jwt.accepted.watch(verified, options, (error) => {
    reportRefusal(error, jwt.log);
    try {
      connection.end(error);
    } catch (failure) {
      // It runs in a timer, where a throw would end the process.
      reportRefusal(failure, jwt.log);
    }
  });
  return { token, expiresAt: jwt.accepted.expiryOf(verified, options), rank: rankOf(options), stopWatching };
}
