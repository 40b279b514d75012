import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** One of the examples, started in separate processes, as users start it. */
export class Example {
  private readonly running: ChildProcess[] = [];

  constructor(private readonly name: string) {}

  /** Starts a process with only the given AWS variables. */
  run(env: Record<string, string> = {}) {
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(AWS_|KMS_|JWKS_|KEYCLOAK_|NODE_ENV|VITEST)/.test(name),
    );
    const main = fileURLToPath(new URL(`../../dist/examples/${this.name}/main.js`, import.meta.url));
    const child = spawn(process.execPath, [main], {
      env: {
        ...Object.fromEntries(own),
        AWS_EC2_METADATA_DISABLED: 'true',
        HOME: '/nonexistent',
        PORT: '0',
        GRPC_PORT: '0',
        NO_COLOR: '1',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    }) as ChildProcessByStdio<null, Readable, Readable>;
    this.running.push(child);
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const exit = once(child, 'exit').then(([code]) => code as number | null);
    return { child, exit, output: () => output, errors: () => errors };
  }

  /** Starts it as `npm start` does, and waits for the last line of its startup output. */
  async start(env: Record<string, string> = {}) {
    const service = this.run({ NODE_ENV: 'development', ...env });
    const url = await new Promise<string>((resolve, reject) => {
      service.child.stdout.on('data', () => {
        const [, found] = /Listening on (\S+)[^]*Bearer <access_token>/.exec(service.output()) ?? [];
        if (found) resolve(found);
      });
      void service.exit.then((code) => reject(new Error(`ended with ${code}: ${service.errors()}`)));
    });
    return { ...service, url };
  }

  /** The one line that it prints when it fails to start. */
  async failure(env: Record<string, string>): Promise<string | undefined> {
    const service = this.run(env);
    expect(await service.exit).toBe(1);
    expect(service.output()).toBe('');
    // Node.js and the AWS SDK may warn of an old Node.js; the service itself prints one line.
    const lines = service.errors().split('\n');
    const ownLines = lines.filter((line) => line.startsWith(`${this.name}: `));
    expect(ownLines).toHaveLength(1);
    return ownLines[0];
  }

  async stopAll(): Promise<void> {
    for (const child of this.running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}

/** Logs in to examples/token-service as one of its users. */
export async function login(url: string, username = 'ada', password = 'lovelace') {
  const response = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  return { status: response.status, body: (await response.json()) as { access_token: string } };
}

export const get = (url: string, token?: string) =>
  fetch(url, { headers: token ? { authorization: `Bearer ${token}` } : {} });
