import type { EventEmitter } from 'node:events';
import type { ExecutionContext } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { OpenConnection } from './transport.js';

/** A call of grpc-js whose server streams: the first argument of a `@GrpcStreamCall()`, otherwise the third. */
interface GrpcStream extends EventEmitter {
  write(message: unknown): boolean;
  cancelled: boolean;
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
      // Nest passes an error on to the handler as one of the client's stream, which it may not handle; one that reads
      // "cancelled", and before Nest 12 not at the beginning, ends the client's stream instead.
      call.emit('error', { ...statusOf(error), toString: () => 'call cancelled' });
      // Nest stops the producer at this event.
      call.cancelled = true;
      call.emit('cancelled', 'cancelled');
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
