// Servers of the benchmarks, each in a process of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * @param {string} file in this folder
 * @param {readonly string[]} argv
 * @returns what the server says once it listens, and a function that ends it
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
