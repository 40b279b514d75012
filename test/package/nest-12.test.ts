import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';
import { itWorksUnderNode } from './support/checks.js';

describe('a Nest 12 app, ESM', () => {
  let app: App;

  beforeAll(async () => {
    app = await App.install('nest-12');
    await app.run('npm', 'run', 'build');
  });

  it('needs only the common, core and platform packages of Nest', async () => {
    const packages = await readdir(join(app.folder, 'node_modules/@nestjs'));
    expect(packages.toSorted()).toEqual(['common', 'core', 'platform-express']);
  });

  itWorksUnderNode(() => app);
});
