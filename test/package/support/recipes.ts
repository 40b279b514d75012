import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { blocksOf } from './blocks.js';

const DOCUMENTS = fileURLToPath(new URL('../../documents/', import.meta.url));

async function write(folder: string, file: string, text: string): Promise<void> {
  const path = join(folder, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Writes the recipes of docs/testing.md for Jest: without the import from `vitest`, and with the configuration of the document. */
export async function writeTestingRecipes(folder: string): Promise<void> {
  for (const { language, code, file } of await blocksOf('docs/testing.md')) {
    await write(folder, file ?? `jest.config.${language}`, code.replace(/^import .* from 'vitest';\n/m, ''));
  }
}

/** Writes the recipes of docs/recipes.md, and their tests, which Vitest runs in test/documents. */
export async function writeRecipes(folder: string): Promise<void> {
  for (const { code, file } of await blocksOf('docs/recipes.md')) {
    if (file?.startsWith('src/')) await write(folder, file, code);
  }
  for (const file of ['recipes.test.ts', 'recipes.apps.test.ts', 'filters.test.ts', 'kms.ts']) {
    const text = await readFile(join(DOCUMENTS, file), 'utf8');
    await write(
      folder,
      `test/${file.replace('.test.', '.spec.')}`,
      text.replace("from 'vitest'", "from '@jest/globals'"),
    );
  }
  await write(
    folder,
    'test/load.ts',
    'export const load = async (file: string): Promise<Record<string, never>> => require(`../${file}`);\n',
  );
  const blocks = await blocksOf('docs/testing.md', 'With Jest');
  const config = blocks.find(({ language }) => language === 'json');
  await write(folder, 'jest.config.json', config?.code ?? '');
}
