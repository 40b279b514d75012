import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-port.js';

const CLI = fileURLToPath(new URL('../../dist/esm/local/cli.js', import.meta.url));

/** Runs the command until it exits. */
async function run(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = startCli(args, env);
  const [stdout, stderr] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, stdout, stderr };
}

function startCli(args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, [CLI, ...args], { env: { PATH: process.env['PATH'], ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('serves its keys until it is interrupted', async () => {
  const port = await freePort();
  const args = ['local-kms', '--alias', 'a', '--alias', 'b', '--key-spec', 'RSA_2048', '--port', `${port}`];
  const child = startCli(args);
  const output = text(child.stdout!);
  const describe = async () => {
    const response = await fetch(`http://127.0.0.1:${port}`, {
      method: 'POST',
      headers: { 'x-amz-target': 'TrentService.DescribeKey', 'content-type': 'application/x-amz-json-1.1' },
      body: JSON.stringify({ KeyId: 'alias/b' }),
    }).catch(() => undefined);
    return response?.json();
  };
  await expect
    .poll(describe, { timeout: 5000 })
    .toMatchObject({ KeyMetadata: { KeySpec: 'RSA_2048', KeyState: 'Enabled' } });
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await output).toMatch(/^# alias\/a is arn:aws:kms:us-east-1:.+\n# alias\/b is arn/);
});

test('writes no key file if the port is in use', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const { code } = await run(['local-kms', '--port', `${port}`, '--file', join(folder, 'keys.json')]);
  expect([code, await readdir(folder)]).toEqual([1, []]);
});

test('names the package to install if the AWS SDK is missing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(join(CLI, '../..'), folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const child = spawn(process.execPath, [join(folder, 'local/cli.js'), 'local-kms', '--port', '0']);
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(stderr).toBe('The local KMS needs the AWS SDK: npm install @aws-sdk/client-kms\n');
});

test('names a port in use, and the option for another', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  expect(await run(['local-kms', '--port', `${port}`])).toEqual({
    code: 1,
    stdout: '',
    stderr: `Port ${port} is in use: stop the process that listens there, or choose another one with --port\n`,
  });
});

test.each<[string, string[], RegExp]>([
  ['no command', [], /^Usage: nestjs-kms-jwt local-kms/],
  ['an unknown command', ['kms'], /^Usage: nestjs-kms-jwt local-kms/],
  ['an unknown option', ['local-kms', '--alais', 'auth'], /^Unknown option '--alais'/],
  ['an unknown key spec', ['local-kms', '--key-spec', 'P256'], /ECC_NIST_P256/],
  ['an invalid alias', ['local-kms', '--alias', 'a b'], /alias/],
  ['a port out of range', ['local-kms', '--port', '65536'], /^--port must be a number from 0 to 65535/],
])('refuses %s with one line or its usage', async (_, args, message) => {
  const { code, stdout, stderr } = await run(args);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^\s+at /m);
});

test('prints its usage for --help', async () => {
  const { code, stdout } = await run(['--help']);
  expect([code, stdout.split('\n')[0]]).toEqual([0, 'Usage: nestjs-kms-jwt local-kms [options]']);
});

test('refuses to start under NODE_ENV=production', async () => {
  const { code, stderr } = await run(['local-kms', '--port', '0'], { NODE_ENV: 'production' });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^LocalKms refuses to start under NODE_ENV=production/);
});
