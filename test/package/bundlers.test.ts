import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';
import { blocksOf } from './support/blocks.js';
import { expectGuardedRoute } from './support/checks.js';
import { bash } from './support/run.js';

const [esbuild, webpack] = await blocksOf('docs/recipes.md', 'Bundlers');

describe('a bundle of an app without the optional packages of Nest', () => {
  let app: App;

  beforeAll(async () => {
    app = await App.install('nest-12', 'bundlers');
    await app.run('npm', 'run', 'build');
    await writeFile(join(app.folder, webpack?.file ?? ''), webpack?.code ?? '');
  });

  it.each([
    { name: 'esbuild, ESM with code splitting', options: '', folder: 'split' },
    { name: 'esbuild, minified', options: '--minify', folder: 'minified' },
  ])('works, built with $name', async ({ options, folder }) => {
    const command = esbuild?.code.trim().replace(/(?<=--outdir=)\w+/, folder);
    expect(command).toContain('--bundle --splitting --format=esm --platform=node');
    expect(await bash(app.folder, `${command} ${options} --log-level=warning`)).toBe('');
    await expectToWork(`${folder}/main.mjs`);
  });

  it('works, built with webpack', async () => {
    // The app contains a LocalKms, which refuses to run with webpack's NODE_ENV=production.
    const options = '--no-optimization-node-env --no-optimization-minimize --stats errors-warnings';
    const output = await bash(app.folder, `npx webpack --config ${webpack?.file} ${options}`);
    // Express and Nest load packages by computed names.
    expect(output).not.toMatch(/error|not found|kms-jwt|microservices|websockets|graphql/i);
    await expectToWork('bundle/main.cjs');
  });

  // Nest itself is external, because it imports some of the packages as well.
  it.each([
    ['esbuild', '--bundle --platform=node --outfile=own.js --log-level=warning', '--external:'],
    ['webpack', '--mode none --target node --output-path own --stats errors-only', '--externals '],
  ])(
    'needs no option of %s for the optional packages that this package imports',
    async (name, options, external) => {
      const entry = 'own.mjs';
      await writeFile(join(app.folder, entry), "export * from 'nestjs-kms-jwt';\n");
      const nest = ['@nestjs/common', '@nestjs/core'].map((one) => external + one).join(' ');
      expect(await bash(app.folder, `npx ${name} ./${entry} ${options} ${nest}`)).toBe('');
    },
  );

  async function expectToWork(file: string): Promise<void> {
    const running = await app.start(file);
    try {
      await expectGuardedRoute(running);
      expect(running.output()).toContain('Refused: TokenExpiredError\n');
    } finally {
      await running.stop();
    }
  }
});
