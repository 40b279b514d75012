import { KmsJwtError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import { levelsOf } from './access.js';
import { bindCall, type Call } from './call.js';
import { checkService } from './check-service.js';
import type { KmsJwtGuard } from './kms-jwt.guard.js';
import { renewWatch, watchConnection } from './open-connections.js';
import { reportRefusal } from './refusal.js';
import { CONNECTIONS } from './transports/index.js';
import type { ConnectionOptions } from './transports/transport.js';
import { checkSameSubject } from './verified-token.js';
import { verifyCall } from './verify-call.js';
import { verifyHandshake } from './verify-handshake.js';

// Parts of KmsJwtGuard, which use its private members.

/** Implements `KmsJwtGuard.acceptConnection`. */
export async function acceptConnection(
  guard: KmsJwtGuard,
  client: object,
  parts: ConnectionOptions,
): Promise<JwtClaims | undefined> {
  const jwt = guard['jwt'];
  checkService(jwt);
  const context = CONNECTIONS.open(client, parts, guard['registration']);
  try {
    const verified = await verifyHandshake(guard, context);
    const { options } = guard['routes'].of(levelsOf(context));
    if (verified) watchConnection(CONNECTIONS.connectionOf(client), verified, options);
    CONNECTIONS.accept(client);
    return verified?.claims;
  } catch (error) {
    // Another gateway of the server may have refused the client, and reported it.
    if (!CONNECTIONS.refuse(error, client)) return undefined;
    // Nest logs an error that a guard throws, but this one is not thrown to Nest.
    if (!(error instanceof KmsJwtError)) reportRefusal(error, jwt.log);
    await guard['refuse'](error, context);
    return undefined;
  }
}

/** Implements `KmsJwtGuard.renewConnection`. */
export async function renewConnection(guard: KmsJwtGuard, client: object, token: string): Promise<JwtClaims> {
  const jwt = guard['jwt'];
  checkService(jwt);
  const contexts = CONNECTIONS.contextsOf(client, guard['registration']);
  const calls = contexts.map((context) => bindCall(context, guard['routes']));
  const [call, ...others] = calls as [Call, ...Call[]];
  const renewed = await verifyCall(guard, token, call);
  for (const other of others) await verifyCall(guard, token, other);
  const options = calls.map(({ route }) => route.options);
  renewWatch(CONNECTIONS.connectionOf(client), renewed, options, (current) =>
    checkSameSubject(jwt.decode(current), jwt.decode(token)),
  );
  return renewed.claims;
}
