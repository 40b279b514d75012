import { KmsJwtOptionsError } from '../../errors/errors.js';
import { checkService } from '../check-service.js';
import type { KmsJwtGuard } from '../kms-jwt.guard.js';
import { refusalOf } from '../refusal.js';
import { type HandshakeOptions, refusalOfHandshake, reportFailure } from './handshake-verdict.js';
import { exceptionBody } from './websocket-connection.js';

/** The parts of a socket of socket.io that are used here. */
interface NewSocket {
  conn?: { close?(): unknown };
  nsp?: { server?: { opts?: { connectionStateRecovery?: { skipMiddlewares?: boolean } } } };
}

/**
 * A middleware for `server.use()` of socket.io: refuses a client without a valid token before it is connected, so that no
 * broadcast reaches it. The client receives `connect_error`, and `err.data` has the body of the event `exception`. The
 * token may be in `auth`, which `guardHandshakes` never sees. Call `acceptConnection` too: it ends the connection once the token
 * is no longer valid. The token is then verified twice.
 *
 * With `connectionStateRecovery`, set its `skipMiddlewares` to false. Otherwise every connection is refused with 500,
 * because socket.io runs no middleware for recovered connections. The packets that such a client missed are sent before
 * any middleware runs; only `guardHandshakes` prevents that.
 *
 * @param guard verifies the tokens; its `handleError` is called for each refusal, but what it returns is not sent
 * @param options the gateway whose decorators count
 *
 * @example
 * ```ts
 * @WebSocketGateway()
 * export class OrdersGateway implements OnGatewayInit<Server>, OnGatewayConnection {
 *   constructor(private readonly guard: KmsJwtGuard) {}
 *
 *   afterInit(server: Server) {
 *     server.use(handshakeMiddleware(this.guard, { gateway: OrdersGateway }));
 *   }
 *
 *   async handleConnection(client: Socket) {
 *     await this.guard.acceptConnection(client, { gateway: this });
 *   }
 * }
 * ```
 */
export function handshakeMiddleware(
  guard: KmsJwtGuard,
  options: HandshakeOptions = {},
): (socket: object, next: (error?: Error) => void) => void {
  checkService(guard['jwt']);
  return (socket: NewSocket, next) => {
    void admit(socket, next);
  };

  async function admit(socket: NewSocket, next: (error?: Error) => void): Promise<void> {
    const refused = await refusalOfHandshake(guard, socket, options, () => checkRecovery(socket));
    try {
      if (refused) next(connectError(refused.error));
      else next();
    } catch (error) {
      // A middleware after this one has thrown.
      reportFailure(guard, error);
      socket.conn?.close?.();
    }
  }
}

/** socket.io sends its `message` and `data`. */
function connectError(error: unknown): Error {
  return Object.assign(new Error(refusalOf(error).message), { data: exceptionBody(error) });
}

function checkRecovery({ nsp }: NewSocket): void {
  if (!nsp?.server?.opts?.connectionStateRecovery?.skipMiddlewares) return;
  throw new KmsJwtOptionsError(
    'connectionStateRecovery.skipMiddlewares',
    'must be false: otherwise socket.io runs no middleware for recovered connections',
  );
}
