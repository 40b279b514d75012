import { beforeAll, describe } from 'vitest';
import { App } from './support/app.js';
import { itWorksUnderNode } from './support/checks.js';

describe('a Nest 12 app, ESM', () => {
  let app: App;

  beforeAll(async () => {
    app = await App.install('nest-12');
    await app.run('npm', 'run', 'build');
  });

  itWorksUnderNode(() => app);
});
