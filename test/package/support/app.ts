import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { env, run } from './run.js';

/** One of `apps/` in a temporary folder, with the packed package and its own dependencies. */
export class App {
  private constructor(readonly folder: string) {}

  /** @param layers folders of `apps/`; files of a later one replace those of an earlier one */
  static async install(...layers: string[]): Promise<App> {
    const folder = join(inject('workspace'), layers.at(-1) ?? '');
    for (const layer of layers) {
      await cp(fileURLToPath(new URL(`../apps/${layer}`, import.meta.url)), folder, { recursive: true });
    }
    await run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', inject('tarball'));
    return new App(folder);
  }

  run(command: string, ...args: string[]): Promise<string> {
    return run(this.folder, command, ...args);
  }

  /** Runs a file with plain node, and waits until the app prints its URL. */
  async start(file = 'dist/main.js'): Promise<RunningApp> {
    const process = spawn('node', [file], { cwd: this.folder, env: { ...env, PORT: '0' } });
    let output = '';
    const url = await new Promise<string>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        output += chunk.toString();
        const [found] = /http:\/\/\S+(?=\n)/.exec(output) ?? [];
        if (found) resolve(found);
      };
      process.stdout.on('data', read);
      process.stderr.on('data', read);
      process.on('error', reject);
      process.on('close', () => reject(new Error(`The app ended:\n${output}`)));
    });
    return { url, output: () => output, stop: () => stop(process) };
  }
}

export interface RunningApp {
  readonly url: string;
  /** All output so far. */
  output(): string;
  stop(): Promise<void>;
}

async function stop(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null) return;
  process.kill();
  await once(process, 'exit');
}
