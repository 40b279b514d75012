// A fixed amount of work, whose duration shows whether the machine is busy with something else.
import { pbkdf2 } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);
/** The thread pool has four threads by default. */
const THREADS = Math.min(availableParallelism(), 4);
/** Takes about 15 ms. */
const ITERATIONS = 20_000;
/** More than one, so that an interruption of some milliseconds does not count. */
const ATTEMPTS = 3;

/** The shortest duration of the work, done on all cores at once, in milliseconds. */
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
