import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { env } from './run.js';

/** A command that runs until Ctrl-C. */
export class Terminal {
  private text = '';

  private constructor(private readonly process: ChildProcess) {}

  /** @param ready matches the output of the command once it is ready */
  static async open(
    folder: string,
    script: string,
    ready: RegExp,
    variables: NodeJS.ProcessEnv = {},
  ): Promise<Terminal> {
    const process = spawn('bash', ['-c', script], {
      cwd: folder,
      env: { ...env, ...variables },
      // A new process group, as in a terminal: Ctrl-C is sent to the whole group.
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

  /** All output so far. */
  output(): string {
    return this.text;
  }

  /** Sends Ctrl-C, and waits until all processes have exited. */
  async close(): Promise<void> {
    const { pid, exitCode } = this.process;
    if (pid === undefined || exitCode !== null) return;
    const closed = once(this.process, 'close');
    process.kill(-pid, 'SIGINT');
    await closed;
  }
}
