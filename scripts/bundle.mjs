// Bundles the output of tsc in dist/esm for both builds, because Node.js loads one file several times faster than a hundred. The
// code is not minified, so that it can be read and debugged. Comments remain only in the declarations, which tsc writes.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const ENTRIES = ['index', 'local/index', 'local/cli', 'terminus/index', 'testing/index'];
/** The command of `bin` in package.json, which needs only the ESM build. */
const COMMAND = 'local/cli.js';
/** Bundled into LocalKms, so that it is not a dependency of production installs. Elsewhere it is a peer dependency. */
const BUNDLED = /^@noble\/(?:curves|hashes|post-quantum)(?:\/|$)/;
const BUNDLED_INTO = /[\\/](?:dist[\\/]esm[\\/]local|node_modules[\\/]@noble)[\\/]/;
/** The code that several entries share, without LocalKms: `testing` uses it too, but production apps must not load it. */
const SHARED = {
  groups: [{ name: 'shared', minShareCount: 2, test: (id) => !BUNDLED_INTO.test(id) }],
};

const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
const installed = new Set(Object.keys({ ...dependencies, ...peerDependencies }));

// The input of both formats is ESM, because unused code can be removed only from ES modules.
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
    const licenses = licensesOf(moduleIds);
    if (licenses !== '') write(`${folder}${fileName}.LICENSE.txt`, licenses);
  }
}
// The nearest package.json tells Node.js and TypeScript that these files are CommonJS; the package itself is ESM.
write(`${ROOT}dist/cjs/package.json`, '{ "type": "commonjs" }\n');

/** Removes the scripts that tsc wrote, because the bundles replace them. */
function removeScripts(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const file of files) if (file.endsWith('.js')) rmSync(`${folder}${file}`);
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** @throws Error if a file imports a package that package.json does not install */
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

/** The name, version and license text of each package that the modules belong to. */
function licensesOf(moduleIds) {
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
