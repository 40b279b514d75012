import type { ExecutionContext } from '@nestjs/common';
import type { SeenClaims } from './ledger.js';

interface Request {
  user?: SeenClaims;
}

/** The properties of a call, apart from its claims, that a guard or an interceptor can read. */
interface CallContext {
  /** The id that the client has put into the call. */
  readonly id: string;
  /** The object with the property `user`. */
  readonly request: Request;
  /** Whether other calls share the object. */
  readonly isShared: boolean;
}

interface Arguments {
  call: string;
}

/** The call of grpc-js. */
interface Metadata extends Request {
  get?(key: string): unknown[];
}

const READERS: Record<string, (context: ExecutionContext) => CallContext> = {
  http(context) {
    const request = context.switchToHttp().getRequest<Request & { params: Arguments }>();
    return { id: request.params.call, request, isShared: false };
  },
  graphql(context) {
    const { req } = context.getArgByIndex<{ req: Request }>(2);
    return { id: context.getArgByIndex<Arguments>(1).call, request: req, isShared: true };
  },
  ws(context) {
    const client = context.switchToWs().getClient<Request & { data?: Request }>();
    const { call } = context.switchToWs().getData<Arguments>();
    return { id: call, request: client.data ?? client, isShared: true };
  },
  rpc(context) {
    const data = context.switchToRpc().getData<Partial<Arguments> & { metadata?: Metadata }>();
    // A @GrpcStreamCall() handler has the metadata in its call.
    const request = data.metadata ?? context.switchToRpc().getContext<Metadata>();
    return { id: String(request.get ? request.get('call')[0] : data.call), request, isShared: false };
  },
};

export function callContextOf(context: ExecutionContext): CallContext {
  const read = READERS[context.getType()];
  if (!read) throw new Error(`No reader for ${context.getType()}`);
  return read(context);
}
