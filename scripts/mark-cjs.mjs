// Node and TypeScript read the nearest package.json to tell CommonJS from ESM; the package itself is ESM.
import { writeFileSync } from 'node:fs';

writeFileSync(new URL('../dist/cjs/package.json', import.meta.url), '{ "type": "commonjs" }\n');
