import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from './support/run.js';

describe('the tarball', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nestjs-kms-jwt-tarball-'));
    await run(folder, 'tar', '-xzf', inject('tarball'));
    return () => rm(folder, { recursive: true });
  });

  it('holds both builds of every source file, the documents, and nothing else', async () => {
    const sources = await filesOf(fileURLToPath(new URL('../../src', import.meta.url)));
    const modules = sources.map((file) => file.replace(/\.ts$/, ''));
    expect(await filesOf(join(folder, 'package'))).toEqual(
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
    const text = await readFile(join(folder, 'package/package.json'), 'utf8');
    const { main, types, exports, typesVersions } = JSON.parse(text);
    const named = pathsIn([main, types, exports, typesVersions]);
    expect(named).toContain('./dist/esm/local/index.js');
    expect(named.filter((path) => !existsSync(join(folder, 'package', path)))).toEqual([]);
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
