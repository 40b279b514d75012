import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('every transport, on Nest 11', () => {
  let app: App;

  beforeAll(async () => {
    app = await App.install('transports-nest-11');
    // With the document, as clients must receive the same on both versions.
    for (const folder of ['test/auth', 'test/transports', 'test/support', 'docs']) {
      await cp(join(ROOT, folder), join(app.folder, folder), { recursive: true });
    }
  });

  it('gives its clients what docs/refusals.md says', async () => {
    // With both: the one to read where it fails, the other to count.
    const reporters = ['--reporter=default', '--reporter=json', '--outputFile.json=report.json'];
    await app.run('npx', 'vitest', 'run', ...reporters);
    const report = JSON.parse(await readFile(join(app.folder, 'report.json'), 'utf8')) as {
      numPassedTests: number;
      numTotalTests: number;
    };
    expect(report.numPassedTests).toBeGreaterThan(600);
    expect(report.numPassedTests).toBe(report.numTotalTests);
  });
});
