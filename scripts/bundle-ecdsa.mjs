// Bundles @noble/curves into the one file that imports it, so that production installs do not carry the package for
// LocalKms alone. Every other file in dist is the output of tsc.
import { readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const FILES = { esm: 'dist/esm/local/store/ecdsa.js', cjs: 'dist/cjs/local/store/ecdsa.js' };

// The ESM build is the input of both, as unused code can be removed from ES modules only.
const bundle = await rolldown({ cwd: ROOT, input: FILES.esm, platform: 'node' });
const chunks = await Promise.all(
  Object.keys(FILES).map(async (format) => {
    const { output } = await bundle.generate({ format, strict: true });
    return [format, output[0]];
  }),
);
await bundle.close();

for (const [format, { code, imports, moduleIds }] of chunks) {
  const missing = imports.filter((name) => !isBuiltin(name));
  if (missing.length > 0) throw new Error(`${FILES[format]} still imports ${missing.join(', ')}`);
  writeFileSync(`${ROOT}${FILES[format]}`, code);
  writeFileSync(`${ROOT}${FILES[format]}.LICENSE.txt`, licencesOf(moduleIds));
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
