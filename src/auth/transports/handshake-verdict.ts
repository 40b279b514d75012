import type { Type } from '@nestjs/common';
import { KmsJwtError } from '../../errors/errors.js';
import type { KmsJwtGuard } from '../kms-jwt.guard.js';
import { reportRefusal } from '../refusal.js';
import { verifyHandshake } from '../verify-handshake.js';
import { connectionContext } from './websocket-handshake.js';

/** How `guardHandshakes` and `handshakeMiddleware` verify tokens. */
export interface HandshakeOptions {
  /** A gateway or its class, if its decorators and those of its `handleConnection` are to count. Default: none count. */
  gateway?: Type | object;
}

/** A refused handshake. An object, as an app may throw anything. */
interface Refused {
  readonly error: unknown;
}

/**
 * Verifies the token of a handshake, before there is a connection, as `acceptConnection` does afterwards. Reports a
 * refusal. It never rejects.
 *
 * @param client stands for the client that does not exist yet: it has its handshake
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
    // The answer does not wait for an overridden `handleError`. Private members of a guard are the library's to call.
    void guard['refuse'](error, context);
    return { error };
  }
}

/** Logs an error of the app, where a throw would end the process. */
export function reportFailure(guard: KmsJwtGuard, error: unknown): void {
  reportRefusal(error, guard['jwt'].log);
}
