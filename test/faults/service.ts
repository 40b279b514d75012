import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { Example } from '../examples/example.js';

const USAGE = new URL('processes/usage.mjs', import.meta.url);

/** Stand in nothing that the service says. */
export const AWS_SECRETS = ['the-secret-access-key-of-the-service', 'the-session-token-of-the-service'];

/** What the service holds on to when it has nothing to do. */
export interface Usage {
  /** Bytes. */
  heap: number;
  /** How many of each type. */
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
 * The example, in a process of its own, with nothing changed but where it finds KMS and credentials.
 *
 * @param credentials the variables of its environment that say where its credentials are
 */
export async function startService(kmsUrl: string, credentials: Record<string, string> = STATIC_CREDENTIALS) {
  const { child, ...service } = await example.start({
    NODE_OPTIONS: `--import=${USAGE.href}`,
    KMS_KEY_ID: 'alias/faults',
    AWS_ENDPOINT_URL_KMS: kmsUrl,
    AWS_REGION: 'us-east-1',
    ...credentials,
  });
  // At its start it says who may log in.
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
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
    /** All that it has said since its start, on either stream, in this order. */
    said: () => said,
    terminate: () => child.kill('SIGTERM'),
    usage: () => usage(),
    /** Blocks its event loop. */
    block: async (milliseconds: number): Promise<void> => void (await usage(milliseconds)),
    /** Stops the process, and continues it. */
    freeze: async (milliseconds: number): Promise<void> => {
      child.kill('SIGSTOP');
      await setTimeout(milliseconds);
      child.kill('SIGCONT');
    },
    /** For how many milliseconds of its life it was ready to run, and others had the processor. */
    starved: async (): Promise<number> => {
      const [, nanoseconds] = (await readFile(`/proc/${child.pid}/schedstat`, 'utf8')).split(' ');
      return Number(nanoseconds) / 1e6;
    },
    /** Asks until that is as it should be; gives the last answer if it never is. */
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
