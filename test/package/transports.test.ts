import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

// On Nest 10 only the tests of the claims of a call, of connections, and of their end.
describe.each([
  ['Nest 11', 'transports-nest-11', 600],
  ['Nest 10', 'transports-nest-10', 90],
])('every transport, on %s', (_, layer, tests) => {
  let app: App;

  beforeAll(async () => {
    app = await App.install(layer);
    // docs/refusals.md is included, because clients must receive the same on all versions.
    const paths = ['test/auth', 'test/transports', 'test/support', 'test/service/issuers.support.ts', 'docs'];
    for (const path of paths) await cp(join(ROOT, path), join(app.folder, path), { recursive: true });
  });

  it('passes the tests of the repository', async () => {
    // One reporter for readers, one for the counts.
    const reporters = ['--reporter=default', '--reporter=json', '--outputFile.json=report.json'];
    await app.run('npx', 'vitest', 'run', ...reporters);
    const report = JSON.parse(await readFile(join(app.folder, 'report.json'), 'utf8')) as {
      numPassedTests: number;
      numTotalTests: number;
    };
    expect(report.numPassedTests).toBeGreaterThan(tests);
    expect(report.numPassedTests).toBe(report.numTotalTests);
  });
});
