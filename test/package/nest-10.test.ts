import { beforeAll, describe } from 'vitest';
import { App } from './support/app.js';
import { itWorksUnderNode } from './support/checks.js';

describe('a Nest 10 app, CommonJS, with the oldest version of every peer', () => {
  let app: App;

  beforeAll(async () => {
    app = await App.install('nest-11', 'nest-10');
    await app.run('npm', 'run', 'build');
  });

  itWorksUnderNode(() => app);
});
