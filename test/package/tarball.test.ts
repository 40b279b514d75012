import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from './support/run.js';

describe('the tarball', () => {
  const folder = join(inject('workspace'), 'package');

  beforeAll(() => run(inject('workspace'), 'tar', '-xzf', inject('tarball')));

  it('holds both builds of every source file, the documents, and nothing else', async () => {
    const sources = await filesOf(fileURLToPath(new URL('../../src', import.meta.url)));
    const modules = sources.map((file) => file.replace(/\.ts$/, ''));
    expect(await filesOf(folder)).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'SECURITY.md',
        'package.json',
        'dist/cjs/package.json',
        ...modules.flatMap((module) => [`dist/cjs/${module}.js`, `dist/cjs/${module}.d.ts`]),
        ...modules.flatMap((module) => [`dist/esm/${module}.js`, `dist/esm/${module}.d.ts`]),
      ].toSorted(),
    );
  });

  it('holds every file that package.json names', async () => {
    const text = await readFile(join(folder, 'package.json'), 'utf8');
    const { main, types, exports, typesVersions } = JSON.parse(text);
    const named = pathsIn([main, types, exports, typesVersions]);
    expect(named).toContain('./dist/esm/local/index.js');
    expect(named.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
  });
});

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

function pathsIn(value: unknown): string[] {
  return typeof value === 'string' ? [value] : Object.values(value as object).flatMap(pathsIn);
}
