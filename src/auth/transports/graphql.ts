import { type ArgumentsHost, HttpException } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { type Refusal, refusalOf } from '../refusal.js';
import { headersFrom } from './headers.js';
import type { OpenConnection, Transport } from './transport.js';

/** The third argument of a resolver: `(root, args, context, info)`. */
interface GraphqlContext {
  req?: object;
}

/** graphql-ws's own context of a connection, which @nestjs/graphql passes on as `req`. */
interface Connection {
  extra: {
    request: TokenCarrier;
    socket?: {
      close(code: number, reason: string): unknown;
      once(event: 'close', listener: () => void): unknown;
    };
  };
  connectionParams?: unknown;
}

const CODES: Record<Refusal['status'], string> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  500: 'INTERNAL_SERVER_ERROR',
  503: 'SERVICE_UNAVAILABLE',
};

/**
 * An error whose `extensions` reach the client: graphql-js copies them. An HttpException, so that Nest does not log it as
 * unknown; without `statusCode` in its body, so that Nest's Apollo driver does not replace the codes by its own.
 */
function refuse(error: KmsJwtError): HttpException {
  const { status, message, errorCode } = refusalOf(error);
  const exception = new HttpException({ message, errorCode }, status, { cause: error, errorCode });
  // Apollo sends it to clients where NODE_ENV is not 'production'.
  exception.stack = `${exception.name}: ${message}`;
  return Object.assign(exception, { extensions: { code: CODES[status], errorCode } });
}

const contextOf = (host: ArgumentsHost) => host.getArgByIndex<GraphqlContext>(2);
const requestOf = (host: ArgumentsHost) => contextOf(host).req ?? contextOf(host);

function carriersOf(host: ArgumentsHost): TokenCarrier[] {
  const request = requestOf(host);
  if (isConnection(request)) return [request.extra.request, paramsOf(request)];
  return 'headers' in request ? [request as TokenCarrier] : [];
}

function paramsOf({ connectionParams }: Connection): TokenCarrier {
  return { headers: headersFrom(connectionParams), url: '' };
}

/** The fourth argument of a resolver, as far as it is used here: graphql-js's GraphQLResolveInfo. */
interface Info {
  path: Path;
  operation: { operation: string };
}

interface Path {
  prev?: Path;
}

function infoOf(host: ArgumentsHost): Info | undefined {
  const info = host.getArgByIndex<Partial<Info> | undefined>(3);
  return info?.path && info.operation ? (info as Info) : undefined;
}

/** The node of the field, then those of the fields above it. graphql-js makes one node for each field of an operation. */
function* pathOf({ path }: Info): Iterable<Path> {
  for (let node: Path | undefined = path; node; node = node.prev) yield node;
}

/** By the context of an operation, and the operation: one connection may have one context for all of its operations. */
const subscriptions = new WeakMap<object, WeakMap<object, object>>();

/** What identifies a subscription to the fields of its events, whose paths begin anew. */
function subscriptionOf(host: ArgumentsHost, { operation }: Info): object[] {
  if (operation.operation !== 'subscription') return [];
  const byOperation = subscriptions.get(contextOf(host)) ?? new WeakMap<object, object>();
  subscriptions.set(contextOf(host), byOperation);
  const call = byOperation.get(operation) ?? {};
  byOperation.set(operation, call);
  return [call];
}

function isConnection(request: object): request is Connection {
  return 'extra' in request && typeof (request as Partial<Connection>).extra?.request?.headers === 'object';
}

/** Clients of graphql-ws give up for good at 4401 and 1008; at these they connect again, with new parameters. */
const CLOSE_CODES = { invalid: 4403, unavailable: 1013 };

function socketOf(connection: Connection): OpenConnection | undefined {
  const { socket } = connection.extra;
  if (!socket) return undefined;
  return {
    key: connection,
    hasCalls: true,
    end(error) {
      const { status, errorCode } = refusalOf(error);
      socket.close(status === 503 ? CLOSE_CODES.unavailable : CLOSE_CODES.invalid, errorCode);
    },
    onClosed: (listener) => void socket.once('close', listener),
  };
}

export const graphql: Transport = {
  carriersOf,
  requestOf,
  // One request may resolve several fields at once, each with a guard of its own.
  callsToRecord(context) {
    const info = infoOf(context);
    if (!info) return [requestOf(context)];
    return info.path.prev ? [info.path] : [info.path, ...subscriptionOf(context, info)];
  },
  callsToRead(context) {
    const info = infoOf(context);
    return info ? [...pathOf(info), ...subscriptionOf(context, info)] : [requestOf(context)];
  },
  connectionOf(context) {
    const request = requestOf(context);
    return isConnection(request) ? socketOf(request) : undefined;
  },
  refuse,
  respond: refuse,
};
