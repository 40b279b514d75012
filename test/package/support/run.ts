import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

// vitest sets NODE_ENV, which would change what an app does.
const { NODE_ENV: _, ...env } = process.env;

export { env };

/** Runs a command to its end. @throws Error with all that it printed, when it fails */
export async function run(folder: string, command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd: folder, env });
    return stdout;
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause });
  }
}
