import { type DynamicModule, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Field, GraphQLModule, Mutation, ObjectType, Query, Resolver, Subscription } from '@nestjs/graphql';
import { createClient } from 'graphql-ws';
import { Claims, type JwtClaims, KmsJwtGuard, Scopes } from 'nestjs-kms-jwt';
import { WebSocket } from 'ws';
import type { Refusal } from './cases.js';
import { type Answer, answerTo, type Endpoint, type EndpointFamily, SCOPE } from './app-under-test.js';
import { PLATFORMS } from './http.js';

@ObjectType()
class OrdersAnswer implements Answer {
  @Field(() => String) sub = '';
  @Field(() => String) audience = '';
  @Field(() => String) scope = '';
}

@Resolver()
@UseGuards(KmsJwtGuard)
@Scopes(SCOPE)
class OrdersResolver {
  @Query(() => OrdersAnswer) readOrders(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
    return answerTo(claims, sub);
  }
  @Mutation(() => OrdersAnswer) placeOrder(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
    return answerTo(claims, sub);
  }
  @Subscription(() => OrdersAnswer)
  async *ordersPlaced(@Claims() claims: JwtClaims, @Claims('sub') sub: string) {
    yield { ordersPlaced: answerTo(claims, sub) };
  }
}

interface GraphqlAnswer {
  data?: Record<string, Answer> | null;
  errors?: object[];
}

type Client = (url: string, token?: string) => Promise<GraphqlAnswer>;

const overHttp =
  (operation: string): Client =>
  async (url, token) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query: `${operation} { sub audience scope } }` }),
    });
    return (await response.json()) as GraphqlAnswer;
  };

const overWebSocket =
  (carry: (token: string) => { connectionParams?: object; headers?: object }): Client =>
  async (url, token) => {
    const { connectionParams, headers } = token === undefined ? {} : carry(token);
    const client = createClient({
      url: url.replace('http', 'ws'),
      connectionParams: { ...connectionParams },
      webSocketImpl: class extends WebSocket {
        constructor(address: string, protocol: string) {
          super(address, protocol, { headers: { ...headers } });
        }
      },
      retryAttempts: 0,
    });
    const subscription = client.iterate({ query: 'subscription { ordersPlaced { sub audience scope } }' });
    try {
      const { value } = await subscription.next();
      return value as GraphqlAnswer;
    } finally {
      await client.dispose();
    }
  };

const HTTP_CLIENTS: Record<string, Client> = {
  query: overHttp('query { readOrders'),
  mutation: overHttp('mutation { placeOrder'),
};

const WEB_SOCKET_CLIENTS: Record<string, Client> = {
  'token in connectionParams': overWebSocket((token) => ({
    connectionParams: { authorization: `Bearer ${token}` },
  })),
  'token in a header of the upgrade request': overWebSocket((token) => ({
    headers: { authorization: `Bearer ${token}` },
  })),
};

const endpointsFor = (clients: Record<string, Client>): Endpoint[] =>
  Object.entries(PLATFORMS).flatMap(([platform, newAdapter]) => endpointsOf(platform, newAdapter, clients));

const endpointsOf = (
  platform: string,
  newAdapter: (typeof PLATFORMS)[string],
  clients: Record<string, Client>,
): Endpoint[] =>
  Object.entries(clients).map(([name, client]) => ({
    name: `${platform}, ${name}`,
    async start(kmsJwt: DynamicModule) {
      @Module({
        imports: [
          kmsJwt,
          GraphQLModule.forRoot<ApolloDriverConfig>({
            driver: ApolloDriver,
            autoSchemaFile: true,
            subscriptions: { 'graphql-ws': true },
          }),
        ],
        providers: [OrdersResolver],
      })
      class AppModule {}
      const app = await NestFactory.create(AppModule, newAdapter(), { logger: false });
      await app.listen(0, '127.0.0.1');
      const url = `${await app.getUrl()}/graphql`;
      return {
        call: async (token) => withoutPosition(await client(url, token)),
        close: () => app.close(),
      };
    },
  }));

/** Removes the position in the query, which graphql-js adds to the error of the guard. */
function withoutPosition({ data, errors }: GraphqlAnswer) {
  return {
    ...(data !== undefined && { data: data && Object.values(data)[0] }),
    ...(errors && { errors: errors.map((error) => omit(error, ['locations', 'path'])) }),
  };
}

function omit(object: object, names: string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

const CODES: Record<Refusal['statusCode'], string> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  503: 'SERVICE_UNAVAILABLE',
};

const errorsOf = ({ statusCode, message, errorCode }: Refusal) => [
  { message, extensions: { code: CODES[statusCode], errorCode } },
];

const ABOUT =
  'Apollo adds `extensions.stacktrace` to every error unless `NODE_ENV` is `production` or `test`, or ' +
  '`includeStacktraceInErrorResponses` is false. `path` and `locations` are left out here.';

export const graphql: EndpointFamily = {
  name: 'GraphQL queries and mutations',
  about: ABOUT,
  endpoints: endpointsFor(HTTP_CLIENTS),
  admitted: (answer) => ({ data: answer }),
  refused: (refusal) => ({ data: null, errors: errorsOf(refusal) }),
};

export const graphqlSubscriptions: EndpointFamily = {
  name: 'GraphQL subscriptions over graphql-ws',
  about: 'Only the operation is refused. The connection stays open.',
  endpoints: endpointsFor(WEB_SOCKET_CLIENTS),
  admitted: (answer) => ({ data: answer }),
  refused: (refusal) => ({ errors: errorsOf(refusal) }),
};
