import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { run } from './run.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder outside of the checkout that is removed in the end. */
    workspace: string;
    tarball: string;
  }
}

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Packs the package once for all test files, as `npm publish` would. */
export default async function pack({ provide }: TestProject): Promise<() => Promise<void>> {
  const workspace = await mkdtemp(join(tmpdir(), 'nestjs-kms-jwt-'));
  const remove = () => rm(workspace, { recursive: true });
  try {
    // npm runs the script prepack first, which builds.
    await run(root, 'npm', 'pack', '--pack-destination', workspace);
    const [tarball = ''] = await readdir(workspace);
    provide('workspace', workspace);
    provide('tarball', join(workspace, tarball));
    return remove;
  } catch (error) {
    await remove();
    throw error;
  }
}
