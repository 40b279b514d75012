import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.js';
import { bash, block, compile, environment, exec, folder, ROOT, start, useKms } from './readme.support.js';

const { compiled } = await compile('local-kms');
useKms({ alias: 'auth' });

describe('recipes', () => {
  test('tests without AWS', async () => {
    // A config of its own, or vitest would take this project's.
    await writeFile(join(compiled, 'vitest.config.mjs'), 'export default {};\n');
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { stdout } = await exec(process.execPath, [vitest, 'run', '--root', compiled], {
      env: { ...environment(), NO_COLOR: '1' },
    });
    expect(stdout).toMatch(/Tests {2}1 passed/);
  });

  test('a KMS on your machine, which keeps its key', async () => {
    const script = join(compiled, 'tools/local-kms.js');
    const keyOf = async () => {
      const port = await freePort();
      const server = await start(
        process.execPath,
        [script],
        environment({ PORT: `${port}` }),
        /export (\w+)=(\S+)/,
      );
      try {
        expect(server.found[1]).toBe('AWS_ENDPOINT_URL_KMS');
        const exports = block('export AWS_ENDPOINT_URL_KMS=').replace(':4599', `:${port}`);
        const describeKey = 'aws kms describe-key --key-id alias/auth --query KeyMetadata.Arn --output text';
        return await bash(`${exports}\n${describeKey}`, { ...environment(), AWS_ENDPOINT_URL_KMS: '' });
      } finally {
        await server.stop();
      }
    };
    const first = await keyOf();
    expect(first).toMatch(/^arn:aws:kms:us-east-1:/);
    expect(await keyOf()).toBe(first);
    expect((await readFile(join(folder, 'local-kms.json'), 'utf8')).length).toBeGreaterThan(0);
  });
});
