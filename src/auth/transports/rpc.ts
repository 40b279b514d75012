import type { ExecutionContext } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { type Refusal, refusalOf } from '../refusal.js';
import { headersFrom, type Transport } from './transport.js';

/** The parts of Nest's RPC contexts, and of gRPC's Metadata, that tell one transport from another. */
interface RpcContext {
  /** gRPC's Metadata: the first value of each key; `get` has all. */
  getMap?(): Record<string, unknown>;
  get?(key: string): unknown[];
  /** NatsContext */
  getHeaders?(): { keys(): Iterable<string>; values(key: string): string[] } | undefined;
  /** RmqContext and KafkaContext */
  getMessage?(): { headers?: unknown; properties?: { headers?: unknown } };
  /** MqttContext */
  getPacket?(): { properties?: { userProperties?: unknown } };
}

/** gRPC's own call: what Nest gives a `@GrpcStreamCall()` in the place of data and context. */
interface GrpcCall {
  metadata: RpcContext;
  emit(event: 'error', error: object): unknown;
}

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const GRPC_STATUS: Record<Refusal['status'], number> = {
  400: 3, // INVALID_ARGUMENT
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  500: 13, // INTERNAL
  503: 14, // UNAVAILABLE
};

function headersOf(context: RpcContext): TokenCarrier['headers'] {
  if (context.getMap && context.get) {
    return headersFrom(
      Object.fromEntries(Object.keys(context.getMap()).map((key) => [key, context.get?.(key)])),
    );
  }
  if (context.getHeaders) {
    const headers = context.getHeaders();
    return headers
      ? headersFrom(Object.fromEntries([...headers.keys()].map((key) => [key, headers.values(key)])))
      : {};
  }
  if (context.getMessage) {
    const { headers, properties } = context.getMessage();
    return headersFrom(headers ?? properties?.headers);
  }
  return headersFrom(context.getPacket?.().properties?.userProperties);
}

/** What the client gets: a status with trailers over gRPC, an object elsewhere. */
export function rpcError(error: KmsJwtError, context: RpcContext = {}): object {
  const { status, message, errorCode } = refusalOf(error);
  if (!context.getMap) return { status: 'error', statusCode: status, message, errorCode };
  const metadata = new (context.constructor as new () => { set(key: string, value: string): void })();
  metadata.set('error-code', errorCode);
  return { code: GRPC_STATUS[status], message, metadata };
}

function grpcCallOf(context: ExecutionContext): GrpcCall | undefined {
  const data = context.switchToRpc().getData<Partial<GrpcCall> | undefined>();
  return typeof data?.emit === 'function' && data.metadata?.getMap ? (data as GrpcCall) : undefined;
}

// TCP and Redis give a context too; a test or a custom transport may give none.
function contextOf(context: ExecutionContext): RpcContext {
  const rpcContext = context.switchToRpc();
  const data = rpcContext.getData<unknown>();
  const fallback = typeof data === 'object' && data !== null ? data : context;
  return grpcCallOf(context)?.metadata ?? rpcContext.getContext<RpcContext>() ?? fallback;
}

export const rpc: Transport = {
  carriersOf: (context) => [
    { headers: headersOf(contextOf(context)), body: context.switchToRpc().getData<unknown>(), url: '' },
  ],
  requestOf: contextOf,
  callOf: contextOf,
  async refuse(error, context) {
    const { RpcException } = await import('@nestjs/microservices');
    return new RpcException(rpcError(error, contextOf(context)));
  },
  async deliver(thrown, context) {
    const call = grpcCallOf(context);
    return call ? endCall(call, grpcErrorOf(thrown), context.getArgByIndex(1)) : thrown;
  },
};

function grpcErrorOf(thrown: unknown): object {
  const isRpcException = typeof thrown === 'object' && thrown !== null && 'getError' in thrown;
  const error: unknown = isRpcException ? (thrown as { getError(): unknown }).getError() : undefined;
  if (typeof error === 'object' && error !== null && 'code' in error) return error;
  return { code: GRPC_STATUS[500], message: 'Internal Server Error' };
}

/**
 * Ends a call whose handler got it whole. Nest hands on no error of these: whatever is thrown is a rejection that nobody
 * handles, which ends the process. So nothing is thrown: the guard waits, and the handler is never called.
 */
function endCall(call: GrpcCall, error: object, callback: unknown): Promise<never> {
  if (typeof callback === 'function') callback(error);
  else call.emit('error', error);
  return new Promise(() => {});
}
