import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { freePort } from '../support/free-port.js';
import { blocksOf, read } from './support/blocks.js';
import { bash } from './support/run.js';
import { Terminal } from './support/terminal.js';

/** Npm prints warnings, but nothing about funding and audits. */
const NPM = { npm_config_loglevel: 'notice', npm_config_audit: 'false', npm_config_fund: 'false' };
const CACHED = { ...NPM, npm_config_prefer_offline: 'true' };

const [install] = await blocksOf('README.md', 'Install');
const steps = await blocksOf('README.md', 'A guarded route in five minutes');

describe('the steps of README.md', () => {
  it('are a command, a module and two more commands', () => {
    expect(install?.code).toMatch(/^npm install nestjs-kms-jwt /);
    expect(steps.map(({ language }) => language)).toEqual(['bash', 'ts', 'bash', 'bash']);
  });

  it.concurrent.each([10, 11, 12])('lead to a guarded route in a new app of Nest %i', async (major) => {
    const app = await newApp(major);
    const before = await bash(app, 'npm install', CACHED);
    const after = await bash(app, install?.code ?? '', { ...NPM, npm_config_registry: inject('registry') });
    expect(warnedOf(after).filter((name) => !warnedOf(before).includes(name))).toEqual([]);

    const [localKms, , start, logIn] = steps.map(({ code }) => code);
    const kmsPort = `${await freePort()}`;
    const port = `${await freePort()}`;
    const kms = await Terminal.open(app, `${localKms?.trim()} --port ${kmsPort}`, /SECRET_ACCESS_KEY/);
    try {
      await writeModules(app);
      expect(await bash(app, 'npm run build')).not.toMatch(/error|warn/i);

      const script = start?.replace('4599', kmsPort) ?? '';
      const running = await Terminal.open(app, script, /successfully started/, { PORT: port });
      try {
        const output = await bash(app, logIn?.replaceAll('localhost:3000', `localhost:${port}`) ?? '');
        const [claims = '', refusal] = output.split(/(?<=\})(?=HTTP)/);
        expect(JSON.parse(claims)).toMatchObject({ sub: 'user-42', scope: 'orders:read', aud: 'my-app' });
        expect(refusal).toMatch(/^HTTP\/1\.1 401 Unauthorized/);
        expect((await fetch(`http://localhost:${port}/`)).status).toBe(401);
        expect(running.output()).not.toMatch(/ERROR|WARN|ExperimentalWarning/);
      } finally {
        await running.close();
      }
    } finally {
      await kms.close();
    }
    expect(await bash(app, 'npm test')).toMatch(/^ *Tests:? +1 passed/m);

    if (major !== 11) return;
    // New apps of Nest 11 can bundle with webpack; those of Nest 12 lack its loader.
    const bundled = await bash(app, 'npx nest build --webpack');
    expect(bundled).toMatch(/compiled successfully/);
    expect(bundled).not.toMatch(/error|warning/i);
  });
});

/** Creates an app with `nest new`. */
async function newApp(major: number): Promise<string> {
  const folder = join(inject('workspace'), `newcomer-${major}`);
  await mkdir(folder);
  const options = '--package-manager npm --skip-git --skip-install';
  await bash(folder, `npx --yes @nestjs/cli@${major} new app ${options}`, CACHED);
  return join(folder, 'app');
}

/** The packages for which npm prints a warning: deprecated, or with unmet engines or peers. */
function warnedOf(output: string): string[] {
  const lines = output.split('\n').filter((line) => line.startsWith('npm warn'));
  return lines.flatMap((line) => line.match(/(?:@[\w.-]+\/)?[\w.-]+@\d[\w.-]*/g) ?? []);
}

/** Follows steps 2 and 3 of the README. */
async function writeModules(app: string): Promise<void> {
  for (const { file, code } of steps) {
    if (file === undefined) continue;
    await mkdir(dirname(join(app, file)), { recursive: true });
    await writeFile(join(app, file), code);
  }
  const { type } = JSON.parse(await readFile(join(app, 'package.json'), 'utf8')) as { type?: string };
  const kind = type === 'module' ? 'an ESM app' : 'a CommonJS app';
  const [, specifier] = new RegExp('`(\\S+)` in ' + kind).exec(await read('README.md')) ?? [];
  const file = join(app, 'src/app.module.ts');
  const before = await readFile(file, 'utf8');
  const imported = before.replace('imports: []', 'imports: [AuthModule]');
  await writeFile(file, `import { AuthModule } from '${specifier}';\n${imported}`);
}
