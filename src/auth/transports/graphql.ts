import { type ArgumentsHost, HttpException } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';
import { type Refusal, refusalOf } from '../refusal.js';
import { headersFrom } from './headers.js';
import type { Transport } from './transport.js';

/** The third argument of a resolver: `(root, args, context, info)`. */
interface GraphqlContext {
  req?: object;
}

/** graphql-ws's own context of a connection, which @nestjs/graphql passes on as `req`. */
interface Connection {
  extra: { request: TokenCarrier };
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

// Read once per connection, as each operation asks, and each of its fields.
const params = new WeakMap<Connection, TokenCarrier>();

function paramsOf(connection: Connection): TokenCarrier {
  const known = params.get(connection) ?? { headers: headersFrom(connection.connectionParams), url: '' };
  params.set(connection, known);
  return known;
}

interface Path {
  prev?: Path;
}

// The fields below a field of the query share its path's root.
function rootOf(path: Path): Path {
  let root = path;
  while (root.prev) root = root.prev;
  return root;
}

function isConnection(request: object): request is Connection {
  return 'extra' in request && typeof (request as Partial<Connection>).extra?.request?.headers === 'object';
}

export const graphql: Transport = {
  carriersOf,
  requestOf,
  // One request may resolve several fields at once, each by a guard of its own.
  callOf(host) {
    const path = host.getArgByIndex<{ path?: Path } | undefined>(3)?.path;
    return path ? rootOf(path) : requestOf(host);
  },
  hasNestedHandlers: true,
  refuse,
  respond: refuse,
};
