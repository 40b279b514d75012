import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-port.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Runs scripts/refuse-used-ports.mjs with the arguments of this npm script. */
async function check(npmScript: string, env: Record<string, string>) {
  const { scripts } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as {
    scripts: Record<string, string>;
  };
  const [, script = '', args = ''] =
    /^node (scripts\/refuse-used-ports\.mjs) (.*?) &&/.exec(scripts[npmScript] ?? '') ?? [];
  return new Promise<{ code: unknown; stderr: string }>((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, ...env } };
    execFile(process.execPath, [script, ...args.split(' ')], options, (error, _, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    );
  });
}

test.each([
  ['prestart', 'PORT'],
  ['prestart', 'GRPC_PORT'],
  ['prestart:resource-server', 'PORT'],
])('%s refuses a used %s before the build', async (npmScript, name) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const free = { PORT: `${await freePort()}`, GRPC_PORT: `${await freePort()}` };
  expect(await check(npmScript, { ...free, [name]: `${port}` })).toEqual({
    code: 1,
    stderr: `port ${port} is in use: set ${name} to another\n`,
  });
  expect(await check(npmScript, free)).toEqual({ code: 0, stderr: '' });
});
