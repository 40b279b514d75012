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
  readonly stopWatching: () => void;
}

/** By connection and instance: guards of two instances may each have verified a token of one connection. */
const connections = new WeakMap<object, Map<string, Current>>();

export function isWatched(connection: OpenConnection, instance: string): boolean {
  return connections.get(connection.key)?.has(instance) ?? false;
}

/** The token that `renewConnection` gave the connection, if it did. */
export function renewedToken(connection: OpenConnection, instance: string): string | undefined {
  const current = connections.get(connection.key)?.get(instance);
  return current?.isRenewed ? current.token : undefined;
}

/**
 * Ends the connection, or stream, once its token is no longer valid.
 *
 * @param options that the token was verified by, beside the module's
 */
export function watchConnection(
  connection: OpenConnection,
  verified: Verified,
  options: RouteVerifyOptions | undefined,
): void {
  // The client may have left while its token was verified, and each gateway of a server accepts it.
  if (connection.isClosed || isWatched(connection, verified.instance)) return;
  const byInstance = connections.get(connection.key) ?? new Map<string, Current>();
  if (!connections.has(connection.key)) {
    connections.set(connection.key, byInstance);
    connection.onClosed(() => {
      for (const { stopWatching } of byInstance.values()) stopWatching();
      byInstance.clear();
    });
  }
  byInstance.set(verified.instance, { ...watch(connection, verified, options), isRenewed: false });
}

/**
 * Replaces the token of a connection.
 *
 * @param check throws unless the token may follow the current one
 * @throws KmsJwtOptionsError for a connection without a token, and what `check` throws
 */
export function renewWatch(
  connection: OpenConnection,
  renewed: Verified,
  options: RouteVerifyOptions | undefined,
  check: (current: string) => void,
): void {
  const byInstance = connections.get(connection.key);
  const current = byInstance?.get(renewed.instance);
  if (!byInstance || !current) {
    throw new KmsJwtOptionsError('renewConnection', 'needs a connection that acceptConnection has accepted');
  }
  check(current.token);
  current.stopWatching();
  byInstance.set(renewed.instance, {
    ...watch(connection, renewed, options),
    isRenewed: true,
  });
}

function watch(
  connection: OpenConnection,
  { token, claims, jwt }: Verified,
  options: RouteVerifyOptions | undefined,
) {
  const stopWatching = jwt.watch(token, claims, options, (error) => {
    reportRefusal(error, jwt.log);
    try {
      connection.end(error);
    } catch (failure) {
      // It runs in a timer, where a throw would end the process.
      reportRefusal(failure, jwt.log);
    }
  });
  return { token, stopWatching };
}
