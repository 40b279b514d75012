import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DOCUMENT = fileURLToPath(new URL('../../../docs/testing.md', import.meta.url));

/** Writes the recipes of docs/testing.md as it says for Jest: without the line that imports from `vitest`, and with its configuration. */
export async function writeRecipes(folder: string): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  for (const [, language, code = ''] of text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    const name = /^\/\/ (\S+)\n/.exec(code)?.[1] ?? `jest.config.${language}`;
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, code.replace(/^import .* from 'vitest';\n/m, ''));
  }
}
