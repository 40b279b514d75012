import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { run } from './run.js';

declare module 'vitest' {
  interface ProvidedContext {
    tarball: string;
  }
}

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Packs the package once for all test files, as `npm publish` would. */
export default async function pack({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-kms-jwt-pack-'));
  // npm runs the script prepack first, which builds.
  await run(root, 'npm', 'pack', '--pack-destination', folder);
  const [tarball = ''] = await readdir(folder);
  provide('tarball', join(folder, tarball));
  return () => rm(folder, { recursive: true });
}
