// Starts the servers of the benchmarks, each in a separate process.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * @param {string} file in this folder
 * @param {readonly string[]} argv
 * @returns the first message of the server, which it sends once it listens, and a function that ends it
 */
export async function startServer(file, argv = []) {
  const server = fork(fileURLToPath(new URL(file, import.meta.url)), argv, { execArgv: [] });
  const exited = once(server, 'exit');
  const failed = exited.then(() => Promise.reject(new Error(`${file} ended before it listened`)));
  const [ready] = await Promise.race([once(server, 'message'), failed]);
  failed.catch(() => {});
  return {
    ...ready,
    process: server,
    close: async () => {
      server.disconnect();
      await exited;
    },
  };
}
