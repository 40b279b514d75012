import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Session } from '../calls.js';
import { ledger } from '../ledger.js';
import { random } from '../run.js';
import { pickToken } from '../tokens.js';
import { type Connection, headersOf, lastingTokens } from '../transport.js';
import type { GraphqlParts } from './graphql.js';
import {
  finishOperation,
  observeResult,
  type Operation,
  type Planner,
  queryOf,
  type Result,
  subscriptionOf,
} from './graphql-operation.js';

/** Sends concurrent queries and subscriptions over one connection with one token. */
export async function connectGraphqlWs(parts: GraphqlParts): Promise<Connection> {
  const { platform, guardsFields } = parts;
  const tokens = lastingTokens(pickToken(parts.user), parts.callers);
  const session: Session = {
    tokens: tokens.user ? [tokens.user] : [],
    isChecked: false,
    openedAt: Date.now(),
  };
  const planner = { transport: `GraphQL over graphql-ws on ${platform}`, tokens, session, guardsFields };

  let isOpen = true;
  const client = createClient({
    url: parts.url.replace('http', 'ws'),
    connectionParams: headersOf(tokens),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    // One connection for all operations.
    lazyCloseTimeout: 600_000,
    on: {
      closed() {
        if (isOpen) ledger.observeEnd(planner.transport, session);
        isOpen = false;
      },
    },
  });
  const perform = async (operation: Operation) => {
    try {
      for await (const result of client.iterate({ query: operation.query })) {
        observeResult(operation, result as Result);
      }
      finishOperation(operation);
    } catch {
      finishOperation(operation, true);
    }
  };
  return {
    get isOpen() {
      return isOpen;
    },
    async burst() {
      const operations = Array.from({ length: 2 + random.below(3) }, () => operationOf(planner));
      await Promise.all(operations.map(perform));
    },
    close() {
      isOpen = false;
      return client.dispose();
    },
  };
}

function operationOf(planner: Planner): Operation {
  return random.chance(0.5) ? queryOf(planner) : subscriptionOf(planner);
}
