import { execFile } from 'node:child_process';
import { promisify, stripVTControlCharacters } from 'node:util';

// vitest sets NODE_ENV, which would change what an app does.
const { NODE_ENV: _, ...env } = process.env;

export { env };

/** Runs a command to its end. @throws Error with all that it printed, when it fails */
export function run(folder: string, command: string, ...args: string[]): Promise<string> {
  return execute(folder, command, args, env);
}

/**
 * Runs a script, and returns all that it prints, with warnings and without colours.
 *
 * @throws Error with all that it printed, when a command fails
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
