import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const HOOK = fileURLToPath(new URL('../../.githooks/commit-msg', import.meta.url));

test.each([
  ['kms: parse ARNs in one place', 0],
  ['auth/transports: one transport per file\n\nWhy.', 0],
  [`kms: ${'x'.repeat(67)}`, 0],
  [`kms: ${'x'.repeat(68)}`, 1],
  ['Parse ARNs in one place', 1],
  ['kms:parse ARNs in one place', 1],
  ['kms: ', 1],
  ['# comment\nkms: parse ARNs in one place', 0],
  ["Merge branch 'main'", 0],
  ['fixup! kms: parse ARNs in one place', 0],
])('.githooks/commit-msg exits for %j with status %i', async (message, status) => {
  const folder = await mkdtemp(join(tmpdir(), 'commit-msg-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'COMMIT_EDITMSG');
  await writeFile(file, message);
  expect(spawnSync(HOOK, [file]).status).toBe(status);
});
