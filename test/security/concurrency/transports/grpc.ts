import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type Call, type Route, ROUTES } from '../calls.js';
import { ledger } from '../ledger.js';
import { random } from '../run.js';
import {
  type Callers,
  type Connection,
  headersOf,
  isRefusal,
  pickTokens,
  tokensFor,
  type TransportUnderLoad,
} from '../transport.js';
import { type Answer, observeAnswer } from '../witnesses.js';
import { PROTO, startGrpcApp } from './grpc-app.js';

type Callback = (error: ServiceError | null, answer?: Answer) => void;
type Unary = (question: object, metadata: Metadata, callback: Callback) => unknown;
type ClientStream = (metadata: Metadata, callback: Callback) => Questions;
type BothWays = (metadata: Metadata) => NodeJS.ReadableStream & Questions;

interface Questions {
  write(question: object): unknown;
  end(): unknown;
}

/** The client that grpc-js generates from the proto file. */
type CallsClient = Client &
  Record<Route, Unary> &
  Record<'upload' | 'uploadCall', ClientStream> &
  Record<'chat' | 'chatCall', BothWays> & {
    watch(question: object, metadata: Metadata): NodeJS.ReadableStream;
  };

const STREAMS = ['watch', 'upload', 'chat', 'uploadCall', 'chatCall'] as const;
type Stream = (typeof STREAMS)[number];

const { calls } = loadPackageDefinition(loadSync(PROTO)) as unknown as {
  calls: { Calls: new (...args: ConstructorParameters<typeof Client>) => CallsClient };
};

/** Concurrent calls with the tokens of several users over each connection, as from an API gateway. */
export const grpc: TransportUnderLoad = {
  names: ['gRPC'],
  connectionsPerUser: 2,
  async start() {
    const { app, url } = await startGrpcApp();
    return {
      connect: async (_user, callers) => connectionTo(url, callers),
      close: () => app.close(),
    };
  },
};

function connectionTo(url: string, callers: Callers): Connection {
  // By default all clients of a process share one connection.
  const client = new calls.Calls(url, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  return {
    isOpen: true,
    async burst() {
      await Promise.all(Array.from({ length: 2 + random.below(4) }, () => makeCall(client, callers)));
    },
    close: () => client.close(),
  };
}

async function makeCall(client: CallsClient, callers: Callers): Promise<void> {
  const tokens = pickTokens(random.pick(callers.users), callers);
  const isUnary = random.chance(0.5);
  const method = isUnary ? random.pick(ROUTES) : random.pick(STREAMS);
  const route: Route = isUnary ? (method as Route) : 'scoped';
  const transport = isUnary ? 'gRPC' : 'gRPC, streams';
  const call = ledger.plan({ transport, route, tokens: tokensFor(route, tokens) });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries({ ...headersOf(tokens), call: call.id }))
    metadata.set(name, value);

  const { answers, error } = await (isUnary
    ? unary(client, method as Route, call, metadata)
    : stream(client, method as Stream, call, metadata));
  for (const answer of answers) observeAnswer(answer);
  const errorCode: unknown = error?.metadata.get('error-code')[0];
  if (error && !isRefusal(errorCode))
    ledger.report('unexpected answer', `${transport}, ${method}: ${error.message}`);
  ledger.finish(call, answers.length > 0 ? 'served' : 'refused');
}

interface Answers {
  answers: Answer[];
  error?: ServiceError | undefined;
}

function unary(client: CallsClient, method: Route, { id }: Call, metadata: Metadata): Promise<Answers> {
  return new Promise((resolve) => client[method]({ call: id }, metadata, settleBy(resolve)));
}

function stream(client: CallsClient, method: Stream, { id }: Call, metadata: Metadata): Promise<Answers> {
  return new Promise((resolve) => {
    switch (method) {
      case 'watch':
        return collect(client.watch({ call: id }, metadata), resolve);
      case 'upload':
      case 'uploadCall':
        return void ask(client[method](metadata, settleBy(resolve)), id);
      case 'chat':
      case 'chatCall': {
        const chat = client[method](metadata);
        collect(chat, resolve);
        return void ask(chat, id);
      }
    }
  });
}

const settleBy =
  (resolve: (answers: Answers) => void): Callback =>
  (error, answer) =>
    resolve({ answers: answer ? [answer] : [], error: error ?? undefined });

function collect(answered: NodeJS.ReadableStream, resolve: (answers: Answers) => void): void {
  const answers: Answer[] = [];
  answered.on('data', (answer: Answer) => answers.push(answer));
  answered.on('end', () => resolve({ answers }));
  answered.on('error', (error: ServiceError) => resolve({ answers, error }));
}

/** Sends a few messages, with pauses in between. */
async function ask(questions: Questions, call: string): Promise<void> {
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    questions.write({ call });
    await random.linger(800);
  }
  questions.end();
}
