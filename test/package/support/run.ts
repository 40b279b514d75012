import { execFile } from 'node:child_process';
import { promisify, stripVTControlCharacters } from 'node:util';

// Vitest sets NODE_ENV, which would change the behavior of an app.
const { NODE_ENV: _, ...env } = process.env;

export { env };

/** Runs a command until it exits. @throws Error with all of its output, if it fails */
export function run(folder: string, command: string, ...args: string[]): Promise<string> {
  return execute(folder, command, args, env);
}

/**
 * Runs a script, and returns its output, with warnings and without colors.
 *
 * @throws Error with all of the output, if a command fails
 */
export async function bash(
  folder: string,
  script: string,
  variables: NodeJS.ProcessEnv = {},
): Promise<string> {
  const args = ['-euo', 'pipefail', '-c', `exec 2>&1\n${script}`];
  return stripVTControlCharacters(await execute(folder, 'bash', args, { ...env, ...variables }));
}

async function execute(
  folder: string,
  command: string,
  args: string[],
  variables: NodeJS.ProcessEnv,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd: folder, env: variables });
    return stdout;
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause });
  }
}
