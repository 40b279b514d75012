import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import type { Type } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { fromHeader, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { start } from './support.js';

export interface Reference {
  __typename: string;
  id: string;
}

type Resolvers = Record<string, Record<string, (...args: unknown[]) => unknown>>;

const typeDefs = `
  scalar _Any
  union _Entity = User | Order
  type User { id: String, owner: String }
  type Order { id: String, owner: String }
  type Query { _entities(representations: [_Any!]!): [_Entity]! }
`;

/**
 * A resolver for the field that an Apollo Federation gateway queries. Like @apollo/subgraph, it calls the `__resolveReference`
 * of the type with three arguments for each reference.
 */
function entitiesBy(resolvers: () => Resolvers) {
  return (
    _root: unknown,
    { representations }: { representations: Reference[] },
    context: object,
    info: GraphQLResolveInfo,
  ) =>
    representations.map(async (reference) => {
      const { __typename } = reference;
      const entity = await resolvers()[__typename]?.['__resolveReference']?.(reference, context, info);
      return { ...(entity as object), __typename };
    });
}

/** Starts a subgraph. `resolve` queries its entities like an Apollo Federation gateway. */
export async function startSubgraph(
  resolvers: Type[],
  fieldResolverEnhancers: 'guards'[] = [],
  options: Partial<KmsJwtModuleOptions> = {},
) {
  let explored: Resolvers = {};
  const { url, ...rest } = await start({
    providers: resolvers,
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        typeDefs,
        resolvers: {
          Query: { _entities: entitiesBy(() => explored) },
          _Entity: { __resolveType: ({ __typename }: Reference) => __typename },
        },
        // Nest passes an array, or an object with the indexes as keys.
        transformResolvers: (given) => {
          explored = Object.assign({}, ...Object.values(given)) as Resolvers;
          return given;
        },
        fieldResolverEnhancers,
      }),
    ],
    options,
    internal: { guard: { tokenFrom: fromHeader('x-internal') } },
  });
  const query =
    'query ($r: [_Any!]!) { entities: _entities(representations: $r) { ...on User { id owner } ...on Order { id owner } } }';
  const resolve = async (names: string[], headers: Record<string, string> = {}) => {
    const representations = names.map((__typename, index) => ({ __typename, id: String(index) }));
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables: { r: representations } }),
    });
    return (await response.json()) as { data: { entities: unknown[] }; errors?: { message: string }[] };
  };
  return { url, resolve, ...rest };
}
