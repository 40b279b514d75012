// A CPU profile of a contender, summed by package.
import { Session } from 'node:inspector/promises';

const INTERVAL_US = 200;
/** The number of groups that are shown. */
const SHOWN = 6;

/** The group of a function: the first whose pattern matches the URL of its script. */
const GROUPS = [
  [/\/dist\/(?:esm|cjs)\//, 'nestjs-kms-jwt'],
  [/\/node_modules\/@(?:aws-sdk|smithy|aws-crypto)\//, 'AWS SDK'],
  [/\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/, undefined],
  [/\/bench\//, 'the benchmark'],
  [/^node:internal\/crypto\//, 'node:crypto'],
  [
    /^node:(?:internal\/)?(?:net|http|https|tls|stream|_http\w*|streams|js_stream)/,
    'HTTP and streams of Node.js',
  ],
  [/^node:internal\/modules\//, 'the module loader'],
  [/^node:/, 'other modules of Node.js'],
];
const SPECIAL = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'native code',
};

/**
 * @param {() => Promise<unknown>} run
 * @returns {Promise<{ name: string, share: number }[]>} shares of the CPU time, the largest first
 */
export async function profileOf(run) {
  const stop = await startProfile();
  await run();
  return stop();
}

/** @returns a function that ends the profile, and resolves to the shares like `profileOf` */
export async function startProfile() {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return sharesOf(profile);
  };
}

/** @param {import('node:inspector').Profiler.Profile} profile */
export function sharesOf({ nodes, samples, timeDeltas }) {
  const groups = new Map(nodes.map(({ id, callFrame }) => [id, groupOf(callFrame)]));
  const times = new Map();
  for (const [index, id] of samples.entries()) {
    const group = groups.get(id);
    if (group !== undefined) times.set(group, (times.get(group) ?? 0) + timeDeltas[index]);
  }
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times]
    .map(([name, time]) => ({ name, share: time / total }))
    .toSorted((a, b) => b.share - a.share)
    .slice(0, SHOWN);
}

/** @returns undefined for idle time */
function groupOf({ functionName, url }) {
  if (functionName === '(idle)' || functionName === '(root)') return undefined;
  // Not `in`, because functions may have names of Object.prototype.
  if (Object.hasOwn(SPECIAL, functionName)) return SPECIAL[functionName];
  const known = GROUPS.find(([pattern]) => pattern.test(url));
  if (known === undefined) return SPECIAL['(program)'];
  const [pattern, name] = known;
  return name ?? pattern.exec(url)[1];
}
