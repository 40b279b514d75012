import { Agent } from 'node:http';
import { random } from '../run.js';
import type { User } from '../tokens.js';
import {
  type Callers,
  type Connection,
  headersOf,
  pickTokens,
  type TransportUnderLoad,
} from '../transport.js';
import { type GraphqlVariant, startGraphqlApp } from './graphql-app.js';
import { finishOperation, observeResult, queryOf, type Result } from './graphql-operation.js';
import { connectGraphqlWs } from './graphql-ws.js';
import { request } from './request.js';

const VARIANTS = [
  { platform: 'Express', guardsFields: false, sharesContext: false, connectionsPerUser: 4 },
  { platform: 'Fastify', guardsFields: true, sharesContext: true, connectionsPerUser: 3 },
];

/** Half of the connections of each app use HTTP, half graphql-ws. */
export const graphql = VARIANTS.map(({ connectionsPerUser, ...variant }): TransportUnderLoad => ({
  names: [`GraphQL over HTTP on ${variant.platform}`, `GraphQL over graphql-ws on ${variant.platform}`],
  connectionsPerUser,
  async start() {
    const { app, url } = await startGraphqlApp(variant);
    return {
      async connect(user, callers) {
        const parts = { url: `${url}/graphql`, ...variant, user, callers };
        return random.chance(0.5) ? connectHttp(parts) : connectGraphqlWs(parts);
      },
      close: () => app.close(),
    };
  },
}));

export interface GraphqlParts extends GraphqlVariant {
  url: string;
  user: User;
  callers: Callers;
}

/** Sends one operation per request, or several, which share the tokens of the request. */
function connectHttp({ url, platform, guardsFields, user, callers }: GraphqlParts): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const transport = `GraphQL over HTTP on ${platform}`;
  return {
    isOpen: true,
    async burst() {
      const tokens = pickTokens(user, callers);
      const count = 1 + random.below(2);
      const operations = Array.from({ length: count }, () => queryOf({ transport, tokens, guardsFields }));
      const queries = operations.map(({ query }) => ({ query }));
      const { body } = await request(agent, url, headersOf(tokens), count === 1 ? queries[0] : queries);
      const results = [body].flat() as Result[];
      for (const [index, operation] of operations.entries()) {
        observeResult(operation, results[index] ?? {});
        finishOperation(operation);
      }
    },
    close: () => agent.destroy(),
  };
}
