import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { env, run } from './support/run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMMAND = 'npm ci && npm start';

describe('a fresh clone without AWS variables', () => {
  const clone = join(inject('workspace'), 'clone');
  beforeAll(() => run(inject('workspace'), 'git', 'clone', '--quiet', ROOT, clone));

  it(`serves after \`${COMMAND}\`, and exits at once with code 0 on Ctrl-C`, async () => {
    const service = spawn('bash', ['-c', COMMAND], {
      cwd: clone,
      env: { ...withoutAws(env), PORT: '0', NO_COLOR: '1' },
      // A new process group, as in a terminal: Ctrl-C is sent to the whole group.
      detached: true,
    });
    const exit = once(service, 'exit');
    let output = '';
    const url = await new Promise<string>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        output += chunk.toString();
        const [, found] = /Listening on (http:\/\/\S+)[^]*Then: curl/.exec(output) ?? [];
        if (found) resolve(found);
      };
      service.stdout.on('data', read);
      service.stderr.on('data', read);
      void exit.then(() => reject(new Error(output)));
    });

    const login = await fetch(`${url}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'ada', password: 'lovelace' }),
    });
    const { access_token: token } = (await login.json()) as { access_token: string };
    const statusWith = async (authorization: string) =>
      (await fetch(`${url}/me`, { headers: authorization ? { authorization } : {} })).status;
    expect(await statusWith(`Bearer ${token}`)).toBe(200);
    expect(await statusWith('')).toBe(401);
    const [header, , signature] = token.split('.');
    const payload = Buffer.from('{"sub":"root"}').toString('base64url');
    expect(await statusWith(`Bearer ${header}.${payload}.${signature}`)).toBe(401);

    const started = performance.now();
    process.kill(-(service.pid ?? 0), 'SIGINT');
    expect(await exit).toEqual([0, null]);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

function withoutAws(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !/^(AWS|KMS)_/.test(name)));
}
