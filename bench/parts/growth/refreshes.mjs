import { install } from '@sinonjs/fake-timers';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { LIBRARY, startLibrary } from '../../contenders/library.mjs';
import { ContenderError } from '../../contenders/check.mjs';

const MIB = 2 ** 20;
const MINUTE_MS = 60_000;

/** The refreshes of an alias over hours of simulated time: the heap of an otherwise idle instance must not grow. */
export async function manyRefreshes(short) {
  const hours = short ? 2 : 24;
  const realNow = performance.now.bind(performance);
  const clock = install({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const library = await startLibrary({ keyId: 'alias/auth', client: localKms.client() });
  const points = [[0, heapNow(), 0]];
  for (let hour = 1; hour <= hours; hour += 1) {
    const before = realNow();
    for (let minute = 0; minute < 60; minute += 1) await clock.tickAsync(MINUTE_MS);
    points.push([hour, heapNow(), realNow() - before]);
  }
  const { GetPublicKey: lookups } = localKms.calls;
  // One every 300 seconds, each up to 10 % earlier.
  if (lookups < 12 * hours) throw new ContenderError(`${LIBRARY} made ${lookups} lookups in ${hours} hours`);
  await library.close();
  clock.uninstall();
  return {
    kind: 'curves',
    id: 'growth-refreshes',
    title: 'Hours of refreshes',
    text: `${hours} hours of simulated time, in which an instance looked up its alias ${lookups} times through the AWS SDK: the heap after a garbage collection, and the duration of the refreshes in each hour.`,
    x: { title: 'hours' },
    y: { title: 'MiB, ms' },
    series: [
      { name: 'heap, MiB', points: points.map(([hour, heap]) => [hour, heap]) },
      { name: 'refreshes of the hour, ms', points: points.slice(1).map(([hour, , took]) => [hour, took]) },
    ],
  };
}

function heapNow() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / MIB;
}
