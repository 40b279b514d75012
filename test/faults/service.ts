import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { Example } from '../examples/example.js';

const USAGE = new URL('processes/usage.mjs', import.meta.url);

/** The service must not print or send these. */
export const AWS_SECRETS = ['the-secret-access-key-of-the-service', 'the-session-token-of-the-service'];

/** The memory and the handles of the idle service. */
export interface Usage {
  /** Bytes. */
  heap: number;
  /** The number of handles by type. */
  handles: ReadonlyMap<string, number>;
}

const example = new Example('token-service');

export const stopServices = () => example.stopAll();

const STATIC_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'dummy',
  AWS_SECRET_ACCESS_KEY: AWS_SECRETS[0] ?? '',
  AWS_SESSION_TOKEN: AWS_SECRETS[1] ?? '',
};

/**
 * Starts the unchanged example in a separate process, with this KMS and these credentials.
 *
 * @param credentials environment variables for its credentials
 */
export async function startService(kmsUrl: string, credentials: Record<string, string> = STATIC_CREDENTIALS) {
  const { child, ...service } = await example.start({
    NODE_OPTIONS: `--import=${USAGE.href}`,
    KMS_KEY_ID: 'alias/faults',
    AWS_ENDPOINT_URL_KMS: kmsUrl,
    AWS_REGION: 'us-east-1',
    ...credentials,
  });
  // Only the output after the start, which names the users.
  let logged = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (logged += chunk.toString()));
  }

  const usage = async (message: string | number = 'usage'): Promise<Usage> => {
    child.send(message);
    const [{ heap, handles }] = (await once(child, 'message')) as [{ heap: number; handles: string[] }];
    const types = [...new Set(handles)];
    return {
      heap,
      handles: new Map(types.map((type) => [type, handles.filter((each) => each === type).length])),
    };
  };

  return {
    ...service,
    /** All output since its start, of stdout and stderr in order. */
    logged: () => logged,
    terminate: () => child.kill('SIGTERM'),
    usage: () => usage(),
    /** Blocks its event loop. */
    block: async (milliseconds: number): Promise<void> => void (await usage(milliseconds)),
    /** Stops the process, and continues it after this time. */
    freeze: async (milliseconds: number): Promise<void> => {
      child.kill('SIGSTOP');
      await setTimeout(milliseconds);
      child.kill('SIGCONT');
    },
    /** For how many milliseconds since its start the process was runnable but had no CPU. */
    starved: async (): Promise<number> => {
      const [, nanoseconds] = (await readFile(`/proc/${child.pid}/schedstat`, 'utf8')).split(' ');
      return Number(nanoseconds) / 1e6;
    },
    /** Polls the usage until it is settled, and returns the last one. */
    usageOnce: async (isSettled: (usage: Usage) => boolean, seconds: number): Promise<Usage> => {
      const end = performance.now() + seconds * 1000;
      let latest = await usage();
      while (!isSettled(latest) && performance.now() < end) {
        await setTimeout(200);
        latest = await usage();
      }
      return latest;
    },
  };
}
