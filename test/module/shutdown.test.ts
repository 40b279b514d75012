import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../support/shutdown.mjs', import.meta.url));
const TIMEOUT = 1000;

let localKms: LocalKms;
let server: Awaited<ReturnType<LocalKms['listen']>>;

beforeEach(async () => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  server = await localKms.listen();
});
afterEach(() => server.close());

async function shutDown() {
  const { stdout } = await promisify(execFile)(process.execPath, [
    SCRIPT,
    'alias/auth',
    server.url,
    String(TIMEOUT),
  ]);
  return JSON.parse(stdout) as { outcome: string; closedAfter: number; aliveAfter: number };
}

test('app.close() waits for the signature in flight, and leaves no timer and no socket', async () => {
  localKms.inject({ kind: 'delay', milliseconds: 300, operation: 'Sign' });
  const { outcome, closedAfter, aliveAfter } = await shutDown();
  expect(outcome).toBe('signed');
  expect(closedAfter).toBeGreaterThan(250);
  expect(aliveAfter).toBeLessThan(250);
});

test('app.close() waits until the deadline if KMS does not answer, and leaves no timer and no socket', async () => {
  localKms.inject({ kind: 'hang', operation: 'Sign' });
  const { outcome, closedAfter, aliveAfter } = await shutDown();
  expect(outcome).toBe('timeout');
  expect(closedAfter).toBeLessThan(TIMEOUT * 1.5);
  expect(aliveAfter).toBeLessThan(250);
});
