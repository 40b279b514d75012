import type { EventEmitter } from 'node:events';
import type { ExecutionContext } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { OpenConnection } from './transport.js';

/** A call of grpc-js whose server streams: the first argument of a `@GrpcStreamCall()`, otherwise the third. */
interface GrpcStream extends EventEmitter {
  write(message: unknown): boolean;
  cancelled: boolean;
  push?(end: null): unknown;
}

/** @param statusOf the status of an error, with its trailers */
export function grpcStreamOf(
  context: ExecutionContext,
  statusOf: (error: KmsJwtError) => object,
): OpenConnection | undefined {
  const call = [context.getArgByIndex<unknown>(2), context.getArgByIndex<unknown>(0)].find(isGrpcStream);
  if (!call) return undefined;
  return {
    key: call,
    hasCalls: false,
    isClosed: call.cancelled,
    end(error) {
      // Only grpc-js's own listener, the first, is called: it sends the status. Nest passes an error event on to the handler,
      // and a @GrpcStreamCall() that uses `for await` would reject: nothing handles that, and the process would end.
      const [sendStatus] = call.listeners('error');
      sendStatus?.call(call, statusOf(error));
      // What the handler still writes is dropped: a write after the end would be an error event, too.
      call.write = () => true;
      // Nest stops the producer at this event.
      call.cancelled = true;
      call.emit('cancelled', 'cancelled');
      // For the handler, the client's stream ends as if the client had ended it.
      call.push?.(null);
    },
    onClosed(listener) {
      for (const event of ['cancelled', 'finish', 'close']) call.once(event, listener);
    },
  };
}

function isGrpcStream(value: unknown): value is GrpcStream {
  const call = value as Partial<GrpcStream & { metadata: { getMap?: unknown } }> | undefined;
  return typeof call?.emit === 'function' && typeof call.write === 'function' && !!call.metadata?.getMap;
}
