// Requests to a Nest server in another process, whose routes differ only in their guard.
import { once } from 'node:events';
import { compare, P99, RATE } from '../comparison.mjs';
import { checkContender, ContenderError, makeExamples } from '../contenders/check.mjs';
import { LIBRARY } from '../contenders/library.mjs';
import { HttpConnection, load } from '../load.mjs';
import { startServer } from '../servers/start.mjs';
import { makeKey, makeTokens } from '../tokens.mjs';

const CONNECTIONS = 64;
const NO_GUARD = 'a guard that does nothing';
const NEST_JWT = '@nestjs/jwt';
const PATHS = {
  [NO_GUARD]: '/none',
  [LIBRARY]: '/library',
  'crypto.verify by hand': '/hand-written',
  [NEST_JWT]: '/nestjs-jwt',
  'passport-jwt': '/passport',
};

/** @param {{ short: boolean }} options */
export async function run({ short }) {
  const scale = short
    ? { tokens: 2000, rounds: 1, milliseconds: 400 }
    : { tokens: 10_000, rounds: 5, milliseconds: 2000 };
  const key = makeKey();
  const tokens = makeTokens(key, scale.tokens);
  const server = await startServer('guarded.mjs', [JSON.stringify(key.jwk)]);
  await checkAll(server, key);
  await warmUp(server, tokens, scale);

  const sections = [
    await compareRoutes(server, tokens, scale, {
      id: 'guard-distinct',
      title: `${tokens.length.toLocaleString('en')} distinct tokens`,
      text: `${CONNECTIONS} connections. Each request has a different token, so the cache contains almost none of them.`,
      targets: [
        { contender: LIBRARY, metric: 'rate', atLeast: 0.73 },
        { contender: LIBRARY, metric: 'p99', atMost: 1, to: [NEST_JWT] },
      ],
    }),
    await compareRoutes(server, tokens.slice(0, 500), scale, {
      id: 'guard-repeated',
      title: '500 repeated tokens',
      text: `${CONNECTIONS} connections, which use 500 tokens in turn, like clients that call repeatedly.`,
      targets: [{ contender: LIBRARY, metric: 'rate', atLeast: 0.97 }],
    }),
  ];
  await server.close();
  return sections;
}

async function checkAll({ port }, key) {
  const examples = makeExamples(key);
  for (const [name, path] of Object.entries(PATHS)) {
    if (name !== NO_GUARD) await checkContender(name, (token) => isAdmitted(port, path, token), examples);
  }
}

async function isAdmitted(port, path, token) {
  const connection = await HttpConnection.open(port);
  const status = await connection.get(path, token);
  connection.close();
  if (status !== 200 && status !== 401) throw new ContenderError(`${path} answered ${status}`);
  return status === 200;
}

/** Without this, the first route would include the time to compile the code that all routes share. */
async function warmUp({ port }, tokens, { milliseconds }) {
  for (const path of Object.values(PATHS)) {
    await load({ port, path, tokens, connections: CONNECTIONS, milliseconds: milliseconds / 2 });
  }
}

function compareRoutes(server, tokens, { rounds, milliseconds }, section) {
  const contender = ([name, path]) => {
    const request = () => load({ port: server.port, path, tokens, connections: CONNECTIONS, milliseconds });
    // The profile is that of the process in which the guard runs.
    return { name, run: request, profile: () => profileOfServer(server.process, request) };
  };
  return compare({
    ...section,
    metrics: [RATE, P99],
    rounds,
    contenders: Object.entries(PATHS).map(contender),
  });
}

async function profileOfServer(child, request) {
  child.send('start profile');
  await once(child, 'message');
  await request();
  child.send('stop profile');
  const [shares] = await once(child, 'message');
  return shares;
}
