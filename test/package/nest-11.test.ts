import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';
import { itWorksUnderNode } from './support/checks.js';
import { writeRecipes } from './support/recipes.js';

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

  it('passes the recipes of docs/testing.md in Jest', async () => {
    await writeRecipes(join(app.folder, 'recipes'));
    const report = JSON.parse(
      await app.run(
        'npx',
        'jest',
        '--ci',
        '--json',
        '--rootDir',
        'recipes',
        '--config',
        'recipes/jest.config.json',
      ),
    );
    expect(report).toMatchObject({ numPassedTests: 7, numTotalTests: 7 });
  });
});
