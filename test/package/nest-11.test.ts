import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';
import { itWorksUnderNode } from './support/checks.js';
import { writeRecipes, writeTestingRecipes } from './support/recipes.js';

describe('a Nest 11 app, CommonJS, with Jest 30', () => {
  let app: App;

  beforeAll(async () => {
    app = await App.install('nest-11');
    await app.run('npm', 'run', 'build');
  });

  itWorksUnderNode(() => app);

  it('passes its own tests in Jest', async () => {
    const report = JSON.parse(await app.run('npx', 'jest', '--ci', '--json'));
    expect(report).toMatchObject({ numPassedTests: 3, numTotalTests: 3 });
  });

  it.each([
    { document: 'docs/testing.md', write: writeTestingRecipes, tests: 7 },
    { document: 'docs/recipes.md', write: writeRecipes, tests: 12 },
  ])('passes the recipes of $document in Jest', async ({ document, write, tests }) => {
    const folder = basename(document, '.md');
    await write(join(app.folder, folder));
    const config = join(folder, 'jest.config.json');
    const report = JSON.parse(
      await app.run('npx', 'jest', '--ci', '--json', '--rootDir', folder, '--config', config),
    );
    expect(report).toMatchObject({ numPassedTests: tests, numTotalTests: tests });
  });
});
