// A fixed amount of work, whose duration shows how busy the machine is with other things.
import { pbkdf2 } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);
/** The thread pool has four threads by default. */
const THREADS = Math.min(availableParallelism(), 4);
/** About 15 ms. */
const ITERATIONS = 20_000;
/** One interruption of some milliseconds does not count. */
const ATTEMPTS = 3;

/** The shortest duration of a few attempts at the same work on each core at once, in milliseconds. */
export async function controlTime() {
  const times = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const startedAt = performance.now();
    await Promise.all(
      Array.from({ length: THREADS }, () => derive('password', 'salt', ITERATIONS, 32, 'sha256')),
    );
    times.push(performance.now() - startedAt);
  }
  return Math.min(...times);
}
