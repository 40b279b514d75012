import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** From top to bottom; folders of one level must not import each other. */
const LEVELS = [
  ['module', 'testing'],
  ['auth'],
  ['jwks', 'terminus'],
  ['service'],
  ['keys'],
  ['options'],
  ['kms'],
  ['events'],
  ['jwt'],
  ['errors'],
  ['async'],
];
const FOLDERS = LEVELS.flat();
const levelOf = (folder: string) => LEVELS.findIndex((level) => level.includes(folder));

interface Diagnostic {
  code: string;
  filename: string;
}

/** Lints src/ of a folder, and returns the files with refused imports. */
function refusedIn(folder: string): Promise<Set<string>> {
  const oxlint = join(ROOT, 'node_modules/oxlint/bin/oxlint');
  return new Promise((resolve, reject) => {
    const args = [oxlint, 'src', '--format', 'json'];
    // The exit status is not 0 if there are findings, so only missing output is an error.
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 26 }, (error, stdout) => {
      if (!stdout) return reject(error ?? new Error('oxlint printed nothing'));
      const { diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] };
      const refused = diagnostics.filter(({ code }) => /no-restricted-imports|type-imports/.test(code));
      resolve(new Set(refused.map(({ filename }) => filename)));
    });
  });
}

const KINDS: Record<string, (specifier: string) => string> = {
  value: (specifier) => `import { x } from '${specifier}';\nexport const y = x;\n`,
  type: (specifier) => `import type { X } from '${specifier}';\nexport type Y = X;\n`,
  inline: (specifier) => `export type Y = import('${specifier}').X;\n`,
  dynamic: (specifier) => `export const load = () => import('${specifier}');\n`,
  exported: (specifier) => `export * from '${specifier}';\n`,
};

/** Files of src/ with one import each, and whether it is allowed. */
const IMPORTS: { file: string; text: string; allowed: boolean }[] = [];
const add = (file: string, specifier: string, allowed: boolean, kind = 'value') =>
  IMPORTS.push({ file: `src/${file}`, text: KINDS[kind]?.(specifier) ?? '', allowed });

for (const from of FOLDERS) {
  for (const to of FOLDERS.filter((folder) => folder !== from)) {
    add(`${from}/imports-${to}.ts`, `../${to}/x.js`, levelOf(from) < levelOf(to));
    add(`${from}/nested/imports-${to}.ts`, `../../${to}/x.js`, levelOf(from) < levelOf(to));
  }
  for (const to of FOLDERS.filter((folder) => levelOf(folder) < levelOf(from))) {
    add(`${from}/detour-to-${to}.ts`, `./../${to}/x.js`, false);
    add(`${from}/source-of-${to}.ts`, `../../src/${to}/x.js`, false);
  }
  add(`${from}/imports-dist.ts`, '../../dist/esm/x.js', false);
  add(`${from}/imports-index.ts`, '../index.js', false);
  add(`${from}/imports-itself.ts`, './x.js', true);
  add(`${from}/imports-local.ts`, '../local/x.js', from === 'testing');
  add(`${from}/imports-package.ts`, 'nestjs-kms-jwt', false);
  add(`local/imports-${from}.ts`, `../${from}/x.js`, false);
  add(`local/nested/imports-${from}.ts`, `../../${from}/x.js`, false);
}
for (const kind of Object.keys(KINDS)) add(`jwt/${kind}-of-keys.ts`, '../keys/x.js', false, kind);
add('jwt/imports-nest.ts', '@nestjs/common', false);
const LOCAL = ['http', 'faults', 'operations', 'store'];
for (const from of LOCAL) {
  for (const to of LOCAL.filter((folder) => folder !== from)) {
    add(`local/${from}/imports-${to}.ts`, `../${to}/x.js`, LOCAL.indexOf(from) < LOCAL.indexOf(to));
  }
}
add('local/imports-index.ts', '../index.js', false);
add('local/nested/imports-local.ts', '../x.js', true);
for (const folder of ['local', 'testing']) add('index.ts', `./${folder}/x.js`, false);

describe('an import in src/', () => {
  let folder: string;
  let refused: Set<string>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layers-'));
    await cp(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
    for (const { file, text } of IMPORTS) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
    refused = await refusedIn(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each([...FOLDERS, 'local', 'index.ts'])('is refused unless it points to a lower level: %s', (top) => {
    const here = IMPORTS.filter(({ file }) => file.startsWith(`src/${top}`));
    const named = (files: typeof IMPORTS) => files.map(({ file }) => file);
    expect(named(here.filter(({ file }) => refused.has(file)))).toEqual(
      named(here.filter(({ allowed }) => !allowed)),
    );
  });
});

describe('the source', () => {
  test('imports only from lower levels', async () => {
    expect(await refusedIn(ROOT)).toEqual(new Set());
  });

  test('is in the folders of the lint rules, except index.ts', async () => {
    const names = await readdir(join(ROOT, 'src'));
    expect(names.toSorted()).toEqual([...FOLDERS, 'index.ts', 'local'].toSorted());
  });
});
