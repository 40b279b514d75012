import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blocksOf } from './blocks.js';

/** Writes the recipes of docs/testing.md as it says for Jest: without the line that imports from `vitest`, and with its configuration. */
export async function writeRecipes(folder: string): Promise<void> {
  for (const { language, code, file } of await blocksOf('docs/testing.md')) {
    const path = join(folder, file ?? `jest.config.${language}`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, code.replace(/^import .* from 'vitest';\n/m, ''));
  }
}
