import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useKms } from './kms.js';
import { blocksOf, compile, environment, exec, fileOf, ROOT } from './support.js';

const blocks = await blocksOf('docs/testing.md');
const { compiled } = await compile('testing', blocks);
useKms({ alias: 'auth' });

test('every code block of docs/testing.md is run by a test', () => {
  expect(blocks.map((one) => fileOf(one) ?? one.language)).toEqual([
    'src/orders.controller.ts',
    'src/app.module.ts',
    'src/orders.controller.spec.ts',
    'src/orders.routes.spec.ts',
    'test/app.e2e-spec.ts',
    'json', // test/package/nest-11.test.ts
    'src/tokens.spec.ts',
  ]);
});

test('the recipes pass under Vitest', async () => {
  // With a separate config, because Vitest would use that of this project otherwise.
  await writeFile(
    join(compiled, 'vitest.config.mjs'),
    "export default { test: { include: ['**/*[.-]spec.js'] } };\n",
  );
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { stdout } = await exec(process.execPath, [vitest, 'run', '--root', compiled], {
    env: { ...environment(), NO_COLOR: '1' },
  });
  expect(stdout).toMatch(/Tests {2}7 passed/);
}, 60_000);
