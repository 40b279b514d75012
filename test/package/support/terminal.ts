import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { env } from './run.js';

/** A command that goes on until Ctrl-C ends it. */
export class Terminal {
  private text = '';

  private constructor(private readonly process: ChildProcess) {}

  /** @param ready what the command prints when it can be used */
  static async open(
    folder: string,
    script: string,
    ready: RegExp,
    variables: NodeJS.ProcessEnv = {},
  ): Promise<Terminal> {
    const process = spawn('bash', ['-c', script], {
      cwd: folder,
      env: { ...env, ...variables },
      // A process group, as a terminal makes it: Ctrl-C is sent to all of it.
      detached: true,
    });
    const terminal = new Terminal(process);
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        terminal.text += chunk.toString();
        if (ready.test(terminal.text)) resolve();
      };
      process.stdout.on('data', read);
      process.stderr.on('data', read);
      process.on('error', reject);
      process.on('close', () => reject(new Error(`${script} ended:\n${terminal.text}`)));
    });
    return terminal;
  }

  /** All that the command has printed so far. */
  output(): string {
    return this.text;
  }

  /** Presses Ctrl-C, and waits until each process has ended. */
  async close(): Promise<void> {
    const { pid, exitCode } = this.process;
    if (pid === undefined || exitCode !== null) return;
    const closed = once(this.process, 'close');
    process.kill(-pid, 'SIGINT');
    await closed;
  }
}
