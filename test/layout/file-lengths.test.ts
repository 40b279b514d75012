import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('no file is longer than 300 lines', async () => {
  const long: string[] = [];
  for (const top of ['src', 'test']) {
    for (const name of await readdir(join(ROOT, top), { recursive: true })) {
      if (!/\.[cm]?[jt]s$/.test(name) || name.includes('node_modules')) continue;
      const lines = (await readFile(join(ROOT, top, name), 'utf8')).split('\n').length - 1;
      if (lines > 300) long.push(`${top}/${name}: ${lines}`);
    }
  }
  expect(long).toEqual([]);
});
