import type { Duplex } from 'node:stream';
import { type ArgumentsHost, HttpException } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { type Refusal, refusalOf } from '../refusal.js';
import { headersFrom } from './headers.js';
import { Pairs } from './pairs.js';
import type { OpenConnection, Transport } from './transport.js';
import { closeSocket } from './websocket-connection.js';

/** The third argument of a resolver: `(root, args, context, info)`. */
interface GraphqlContext {
  req?: object;
}

/** graphql-ws's own context of a connection, which `@nestjs/graphql` passes on as `req`. */
interface Connection {
  extra: {
    request: TokenCarrier;
    socket?: {
      readyState?: number;
      removeAllListeners?(event: string): unknown;
      terminate?(): unknown;
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
 * unknown; without `statusCode` in its body, so that Nest's Apollo driver does not replace the codes with its own.
 */
function refuse(error: KmsJwtError): HttpException {
  const { status, message, errorCode } = refusalOf(error);
  const exception = new HttpException({ message, errorCode }, status, { cause: error, errorCode });
  // Apollo sends the stack to clients unless NODE_ENV is 'production'.
  exception.stack = `${exception.name}: ${message}`;
  return Object.assign(exception, { extensions: { code: CODES[status], errorCode } });
}

const contextOf = (host: ArgumentsHost) => host.getArgByIndex<GraphqlContext>(isReference(host) ? 1 : 2);
const requestOf = (host: ArgumentsHost) => contextOf(host).req ?? contextOf(host);

function carriersOf(host: ArgumentsHost): TokenCarrier[] {
  const request = requestOf(host);
  if (isConnection(request)) return [request.extra.request, paramsOf(request)];
  return 'headers' in request ? [request as TokenCarrier] : [];
}

/** The serialization of an origin that is not known (RFC 6454, section 6.1): no configuration can allow it. */
const UNKNOWN_ORIGIN = 'null';

/** Also if the app's own `context` contains the request of the upgrade instead of the connection. */
function originOf(host: ArgumentsHost): string | string[] | undefined {
  const request = requestOf(host);
  const handshake = isConnection(request) ? request.extra.request : (request as Partial<TokenCarrier>);
  if (handshake.headers?.['upgrade'] !== undefined) return handshake.headers['origin'];
  // A request of Node or Fastify needs no check. Any other object of the app may represent a handshake, and hide its origin.
  return 'httpVersion' in handshake || 'raw' in handshake ? undefined : UNKNOWN_ORIGIN;
}

function paramsOf({ connectionParams }: Connection): TokenCarrier {
  return { headers: headersFrom(connectionParams), url: '' };
}

/** The last argument of a resolver, as far as it is used here: graphql-js's GraphQLResolveInfo. */
export interface Info {
  path: Path;
  operation: { operation: string };
}

interface Path {
  prev?: Path;
}

export function isInfo(value: unknown): value is Info {
  const { path, operation } = (value ?? {}) as Partial<Info>;
  return typeof path === 'object' && typeof operation === 'object';
}

/** Whether the arguments are those of a `__resolveReference`: `(reference, context, info)`. */
function isReference(host: ArgumentsHost): boolean {
  return !isInfo(host.getArgByIndex(3)) && isInfo(host.getArgByIndex(2));
}

function infoOf(host: ArgumentsHost): Info | undefined {
  const info = host.getArgByIndex<unknown>(isReference(host) ? 2 : 3);
  return isInfo(info) ? info : undefined;
}

/** The node of the field, then those of the fields above it. graphql-js makes one node for each field of an operation. */
function* pathOf({ path }: Info): Iterable<Path> {
  for (let node: Path | undefined = path; node; node = node.prev) yield node;
}

/** By the context of an operation, and the operation: one connection may have one context for all of its operations. */
const subscriptions = new Pairs();

/** The object by which the fields of a subscription's events identify the subscription: their paths do not lead up to it. */
function subscriptionOf(host: ArgumentsHost, { operation }: Info): object[] {
  return operation.operation === 'subscription' ? [subscriptions.of(contextOf(host), operation)] : [];
}

/** By the path of the field `_entities`, which its references share, and the reference. */
const references = new Pairs();

/** The object that identifies the call of a `__resolveReference`; empty if the reference is not known. */
function referenceOf(host: ArgumentsHost, { path }: Info): object[] {
  const reference = host.getArgByIndex<unknown>(0);
  return typeof reference === 'object' && reference !== null ? [references.of(path, reference)] : [];
}

function isConnection(request: object): request is Connection {
  return 'extra' in request && typeof (request as Partial<Connection>).extra?.request?.headers === 'object';
}

/** After 4401 and 1008, clients of graphql-ws do not reconnect; after these codes they do, with new parameters. */
const CLOSE_CODES = { invalid: 4403, unavailable: 1013 };

function socketOf(connection: Connection): OpenConnection | undefined {
  const { socket } = connection.extra;
  if (!socket) return undefined;
  return {
    key: connection,
    hasCalls: true,
    isClosed: (socket.readyState ?? 1) > 1,
    end(error) {
      const { status, errorCode } = refusalOf(error);
      closeSocket(socket, status === 503 ? CLOSE_CODES.unavailable : CLOSE_CODES.invalid, errorCode);
    },
    onClosed: (listener) => void socket.once('close', listener),
  };
}

/** The request of a handshake, which the app's own `context` may pass on instead of the connection. */
interface Upgrade {
  headers: TokenCarrier['headers'];
  socket: Duplex;
}

/** Node sets `upgrade` on a request that it has passed on as an upgrade; the headers alone prove nothing. */
function isUpgrade(request: object): request is Upgrade {
  return (request as { upgrade?: unknown }).upgrade === true && 'socket' in request;
}

/** Without the socket of graphql-ws, no close frame can be sent: the client sees an abnormal closure, and reconnects. */
function upgradedSocketOf(request: Upgrade): OpenConnection {
  const { socket } = request;
  return {
    key: request,
    hasCalls: true,
    isClosed: socket.destroyed,
    end: () => void socket.destroy(),
    onClosed: (listener) => void socket.once('close', listener),
  };
}

export const graphql: Transport = {
  carriersOf,
  originOf,
  requestOf,
  // One request may resolve several fields at once, each with its own guard.
  callsToRecord(context) {
    const info = infoOf(context);
    if (!info) return [requestOf(context)];
    if (isReference(context)) return referenceOf(context, info);
    return info.path.prev ? [info.path] : [info.path, ...subscriptionOf(context, info)];
  },
  // The fields below an entity know the path of its `_entities` field, but not its reference.
  sharedCalls(context) {
    const info = infoOf(context);
    return info && isReference(context) ? [info.path] : [];
  },
  callsToRead(context) {
    const info = infoOf(context);
    if (!info) return [requestOf(context)];
    if (isReference(context)) return referenceOf(context, info);
    return [...pathOf(info), ...subscriptionOf(context, info)];
  },
  connectionOf(context) {
    const request = requestOf(context);
    const connection = isConnection(request)
      ? socketOf(request)
      : isUpgrade(request) && upgradedSocketOf(request);
    const callGoesOn = infoOf(context)?.operation.operation === 'subscription';
    return connection ? { ...connection, callGoesOn } : undefined;
  },
  refuse,
  respond: refuse,
};
