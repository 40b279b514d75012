import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Files that npm packs regardless of `files`. */
const ALWAYS_PACKED = ['README.md', 'LICENSE', 'package.json'];

const { files } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
const packed = [...ALWAYS_PACKED, ...files];
const documents = (await readdir(ROOT, { recursive: true })).filter(
  (path) => !/^(?:node_modules|dist)\//.test(path) && path.endsWith('.md') && isPacked(path),
);

function isPacked(path: string): boolean {
  return packed.some((entry) => path === entry || path.startsWith(`${entry}/`));
}

async function linksIn(document: string): Promise<string[]> {
  const text = await readFile(join(ROOT, document), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  const relative = targets.filter((target) => !/^(?:https?:|#)/.test(target));
  return relative.map((target) => posix.join(dirname(document), target.replace(/#.*/, '')));
}

test('the README and the documents that it links to are packed', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'SECURITY.md', 'docs/operations.md']));
});

/** The anchor that GitHub gives to a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

test.each(documents)('every link in %s to a heading has a target', async (document) => {
  const text = await readFile(join(ROOT, document), 'utf8');
  const links = [...text.matchAll(/\]\(([^)\s:#]*)#([^)\s]+)\)/g)];
  for (const [link, target = '', anchor] of links) {
    const path = target === '' ? document : posix.join(dirname(document), target);
    const headings = (await readFile(join(ROOT, path), 'utf8')).matchAll(/^#+ (.+)$/gm);
    expect(
      [...headings].map(([, heading = '']) => anchorOf(heading)),
      link,
    ).toContain(anchor);
  }
});

test.each(documents)('every relative link in %s points to a file of the package', async (document) => {
  const broken = (await linksIn(document)).filter((path) => !isPacked(path) || !existsSync(join(ROOT, path)));
  expect(broken).toEqual([]);
});

test('every document is linked from another document', async () => {
  const linked = new Set<string>();
  for (const document of documents)
    for (const path of await linksIn(document)) if (path !== document) linked.add(path);
  expect(documents.filter((path) => path !== 'README.md' && !linked.has(path))).toEqual([]);
});
