import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TOPS = ['src', 'test', 'bench', 'docs', 'examples', 'scripts', '.ci'];
const below = await Promise.all(
  TOPS.map(async (top) => [
    top,
    ...(await readdir(join(ROOT, top), { recursive: true })).map((path) => `${top}/${path}`),
  ]),
);
const paths = new Set([...below.flat(), ...(await readdir(ROOT))]);
const namesInSource = new Set(
  [...paths].filter((path) => path.startsWith('src/')).map((path) => basename(path)),
);

const isPath = (word: string) =>
  /^[\w/-][\w./-]*(?:\.(?:[cm]?[jt]s|md|json)|\/)$/.test(word) ||
  TOPS.some((top) => word.startsWith(`${top}/`) && !word.includes('*'));

/** The files and folders that a text names in backticks: `keys/rotation.ts`, `test/fleet`, `transports/`. */
function pathsIn(text: string): string[] {
  const words = [...text.matchAll(/`([\w@./*-]+)`/g)].map(([, word = '']) => word);
  return words.filter(isPath).map((word) => word.replace(/\/$/, ''));
}

/** From the root; in ARCHITECTURE.md also from `src/`, or only by the name of a file or folder below it. */
function exists(path: string): boolean {
  return paths.has(path) || paths.has(`src/${path}`) || (!path.includes('/') && namesInSource.has(path));
}

test.each([
  ['ARCHITECTURE.md', 'keys/rotation.ts'],
  ['CONTRIBUTING.md', 'test/layout/layers.test.ts'],
])('every file and folder that %s names exists, such as %s', async (document, example) => {
  const named = pathsIn(await readFile(join(ROOT, document), 'utf8'));
  expect(named).toContain(example);
  expect(named.filter((path) => !exists(path))).toEqual([]);
});

test('ARCHITECTURE.md names every folder of src/', async () => {
  const entries = await readdir(join(ROOT, 'src'), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `src/${name}`);
  expect(pathsIn(await readFile(join(ROOT, 'ARCHITECTURE.md'), 'utf8'))).toEqual(
    expect.arrayContaining(folders),
  );
});

const others = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md'));

test.each(['README.md', 'SECURITY.md', ...others.map((name) => `docs/${name}`)])(
  'every file and folder of the repository that %s names exists',
  async (document) => {
    const named = pathsIn(await readFile(join(ROOT, document), 'utf8'));
    const ours = named.filter((path) => /^(?:test|bench|examples|scripts|\.ci)\//.test(path));
    expect(ours.filter((path) => !paths.has(path))).toEqual([]);
  },
);
