// Bundles what tsc has compiled to dist/esm, for both builds: Node loads a hundred files in several times the time of one. The
// code is not minified, so that it can be read and debugged. Its comments are in the types, which stay as tsc has written them.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const ENTRIES = ['index', 'local/index', 'local/cli', 'terminus/index', 'testing/index'];
/** The command of package.json's `bin`, which needs one build only. */
const COMMAND = 'local/cli.js';
/** Bundled into LocalKms, so that production installs do not carry it for that alone. Elsewhere it is a peer. */
const BUNDLED = /^@noble\/(?:curves|hashes|post-quantum)(?:\/|$)/;
const BUNDLED_INTO = /[\\/](?:dist[\\/]esm[\\/]local|node_modules[\\/]@noble)[\\/]/;
/** What several entries need is one file. LocalKms is not in it, which `testing` needs too: apps in production would load it. */
const SHARED = {
  groups: [{ name: 'shared', minShareCount: 2, test: (id) => !BUNDLED_INTO.test(id) }],
};

const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
const installed = new Set(Object.keys({ ...dependencies, ...peerDependencies }));

// The ESM build is the input of both, as unused code can be removed from ES modules only.
const bundle = await rolldown({
  cwd: ROOT,
  input: Object.fromEntries(ENTRIES.map((entry) => [entry, `dist/esm/${entry}.js`])),
  platform: 'node',
  external: (id, importer) =>
    /^[^./]/.test(id) && !(BUNDLED.test(id) && importer !== undefined && BUNDLED_INTO.test(importer)),
});
const builds = await Promise.all(
  ['esm', 'cjs'].map(async (format) => {
    const settings = {
      format,
      strict: true,
      comments: false,
      chunkFileNames: '[name].js',
      codeSplitting: SHARED,
    };
    return { format, chunks: (await bundle.generate(settings)).output };
  }),
);
await bundle.close();

for (const { format, chunks } of builds) {
  const folder = `${ROOT}dist/${format}/`;
  removeScripts(folder);
  for (const { fileName, code, imports, moduleIds } of chunks) {
    if (fileName === COMMAND && format === 'cjs') continue;
    refuseMissing(fileName, imports, chunks);
    write(`${folder}${fileName}`, code);
    const licences = licencesOf(moduleIds);
    if (licences !== '') write(`${folder}${fileName}.LICENSE.txt`, licences);
  }
}
// Node and TypeScript read the nearest package.json to tell CommonJS from ESM; the package itself is ESM.
write(`${ROOT}dist/cjs/package.json`, '{ "type": "commonjs" }\n');

/** What tsc has compiled is in the bundles now. */
function removeScripts(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const file of files) if (file.endsWith('.js')) rmSync(`${folder}${file}`);
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** @throws Error if a file imports what package.json does not install */
function refuseMissing(fileName, imports, chunks) {
  const isThere = (name) =>
    isBuiltin(name) || chunks.some((chunk) => chunk.fileName === name) || installed.has(packageOf(name));
  const missing = imports.filter((name) => !isThere(name));
  if (missing.length > 0) throw new Error(`${fileName} imports ${missing.join(', ')}`);
}

function packageOf(name) {
  const parts = name.split('/');
  return parts.slice(0, name.startsWith('@') ? 2 : 1).join('/');
}

/** The name, version and licence text of each package that the modules belong to. */
function licencesOf(moduleIds) {
  const folders = moduleIds.map(
    (id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id.replaceAll('\\', '/'))?.[0],
  );
  return [...new Set(folders.filter((folder) => folder !== undefined))]
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
      return `${name} ${version}\n\n${readFileSync(`${folder}/LICENSE`, 'utf8').trim()}\n`;
    })
    .toSorted()
    .join('\n\n');
}
