import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../support/free-port.js';
import { folder, useKms } from './kms.js';
import { bash, blocksOf, compile, environment, start } from './support.js';

const recipes = await blocksOf('docs/recipes.md');
const { compiled } = await compile('local-kms', recipes);
useKms();

test('the script starts a local KMS that keeps its key after a restart', async () => {
  const script = join(compiled, 'tools/local-kms.js');
  const exports = recipes.find(({ text }) => text.startsWith('export AWS_ENDPOINT_URL_KMS='))?.text ?? '';
  const keyOf = async () => {
    const port = await freePort();
    const variables = environment({ PORT: `${port}` });
    const server = await start(process.execPath, [script], variables, /export (\w+)=(\S+)/);
    try {
      expect(server.found[1]).toBe('AWS_ENDPOINT_URL_KMS');
      const describeKey = 'aws kms describe-key --key-id alias/auth --query KeyMetadata.Arn --output text';
      const commands = `${exports.replace(':4599', `:${port}`)}\n${describeKey}`;
      return await bash(commands, { ...environment(), AWS_ENDPOINT_URL_KMS: '' });
    } finally {
      await server.stop();
    }
  };
  const first = await keyOf();
  expect(first).toMatch(/^arn:aws:kms:us-east-1:/);
  expect(await keyOf()).toBe(first);
  expect((await readFile(join(folder, 'local-kms.json'), 'utf8')).length).toBeGreaterThan(0);
});
