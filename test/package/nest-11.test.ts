import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';
import { itWorksUnderNode } from './support/checks.js';

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
});
