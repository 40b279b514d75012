import type { Type } from '@nestjs/common';
import { KmsJwtError } from '../../errors/errors.js';
import type { KmsJwtGuard } from '../kms-jwt.guard.js';
import { reportRefusal } from '../refusal.js';
import { verifyHandshake } from '../verify-handshake.js';
import { connectionContext } from './websocket-handshake.js';

/** Options of `guardHandshakes` and `handshakeMiddleware`. */
export interface HandshakeOptions {
  /** A gateway or its class, if the decorators of its class and of its `handleConnection` are to count. Default: they do not. */
  gateway?: Type | object;
}

/** A refused handshake. An object, because an app may throw any value, even undefined. */
interface Refused {
  readonly error: unknown;
}

/**
 * Verifies the token of a handshake, before there is a connection, as `acceptConnection` does afterwards. Reports a
 * refusal. It never rejects.
 *
 * @param client an object with the handshake, in place of the client that does not exist yet
 * @param check throws for a mistake in the configuration
 * @returns the refusal; undefined when the handshake may go on
 */
export async function refusalOfHandshake(
  guard: KmsJwtGuard,
  client: object,
  { gateway }: HandshakeOptions,
  check?: () => void,
): Promise<Refused | undefined> {
  const context = connectionContext(client, gateway);
  try {
    check?.();
    await verifyHandshake(guard, context);
    return undefined;
  } catch (error) {
    if (!(error instanceof KmsJwtError)) reportFailure(guard, error);
    // The answer does not wait for an overridden `handleError`. In brackets, because the member is private.
    void guard['refuse'](error, context);
    return { error };
  }
}

/** Logs an error of the app, where a throw would end the process. */
export function reportFailure(guard: KmsJwtGuard, error: unknown): void {
  reportRefusal(error, guard['jwt'].log);
}
