import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { throwError } from 'rxjs';
import { type KmsJwtError, KmsJwtOptionsError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { type Refusal, refusalOf } from '../refusal.js';
import { headersFrom } from './headers.js';
import { grpcStreamOf } from './grpc-stream.js';
import { Pairs } from './pairs.js';
import type { Transport } from './transport.js';

/** The parts of Nest's RPC contexts, and of gRPC's Metadata, that distinguish the transports. */
interface RpcContext {
  /** gRPC's Metadata: the first value of each key; `get` returns all. */
  getMap?(): Record<string, unknown>;
  get?(key: string): unknown[];
  /** NatsContext */
  getHeaders?(): { keys(): Iterable<string>; values(key: string): string[] } | undefined;
  /** RmqContext and KafkaContext */
  getMessage?(): { headers?: unknown; properties?: { headers?: unknown } };
  /** MqttContext */
  getPacket?(): { properties?: { userProperties?: unknown } };
}

/** gRPC's own call, which Nest passes to a `@GrpcStreamCall()` instead of data and context. */
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

/** What the client receives: a status with trailers over gRPC, otherwise an object. */
function rpcError(error: KmsJwtError, context: RpcContext = {}): object {
  const { status, message, errorCode } = refusalOf(error);
  if (!context.getMap) return { status: 'error', statusCode: status, message, errorCode };
  const metadata = new (context.constructor as new () => { set(key: string, value: string): void })();
  metadata.set('error-code', errorCode);
  return { code: GRPC_STATUS[status], message, metadata };
}

function grpcCallOf(host: ArgumentsHost): GrpcCall | undefined {
  const data = host.switchToRpc().getData<Partial<GrpcCall> | undefined>();
  return typeof data?.emit === 'function' && data.metadata?.getMap ? (data as GrpcCall) : undefined;
}

// A test or a custom transport may pass no context.
function contextOf(host: ArgumentsHost): RpcContext {
  const rpcContext = host.switchToRpc();
  const data = rpcContext.getData<unknown>();
  const fallback = typeof data === 'object' && data !== null ? data : host;
  return grpcCallOf(host)?.metadata ?? rpcContext.getContext<RpcContext>() ?? fallback;
}

/** By class and method: several classes may inherit the same method. */
const handlers = new Pairs();
/** By context and handler: an event may have several handlers, and all of them receive one context. */
const calls = new Pairs();
const callOf = (context: ExecutionContext) =>
  calls.of(contextOf(context), handlers.of(context.getClass(), context.getHandler()));

export const rpc: Transport = {
  carriersOf: (host) => [
    { headers: headersOf(contextOf(host)), body: host.switchToRpc().getData<unknown>(), url: '' },
  ],
  requestOf: contextOf,
  callsToRecord: (context) => [callOf(context)],
  callsToRead: (context) => [callOf(context)],
  connectionOf: (context) => grpcStreamOf(context, (error) => rpcError(error, contextOf(context))),
  async refuse(error, host) {
    const { RpcException } = await importMicroservices();
    return new RpcException(rpcError(error, contextOf(host)));
  },
  async deliver(thrown, context) {
    const call = grpcCallOf(context);
    return call ? endCall(call, grpcErrorOf(thrown), context.getArgByIndex(1)) : thrown;
  },
  respond: (error, host) =>
    throwError(() => rpcError(error, host.switchToRpc().getContext<RpcContext | undefined>())),
};

/** Within `try`, because bundlers then accept that the package is not installed. */
async function importMicroservices() {
  try {
    return await import('@nestjs/microservices');
  } catch (error) {
    throw new KmsJwtOptionsError('@nestjs/microservices', 'must be installed or bundled', { cause: error });
  }
}

function grpcErrorOf(thrown: unknown): object {
  const isRpcException = typeof thrown === 'object' && thrown !== null && 'getError' in thrown;
  const error: unknown = isRpcException ? (thrown as { getError(): unknown }).getError() : undefined;
  if (typeof error === 'object' && error !== null && 'code' in error) return error;
  return { code: GRPC_STATUS[500], message: 'Internal Server Error' };
}

/**
 * Ends a call whose handler receives the call itself. For such handlers, Nest handles no error of a guard: its rejection would
 * end the process. So the guard never settles, and the handler is never called.
 */
function endCall(call: GrpcCall, error: object, callback: unknown): Promise<never> {
  if (typeof callback === 'function') callback(error);
  else call.emit('error', error);
  return new Promise(() => {});
}
