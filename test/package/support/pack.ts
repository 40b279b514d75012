import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startRegistry } from './registry.js';
import { run } from './run.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder outside of the checkout, which is removed at the end. */
    workspace: string;
    tarball: string;
    /** The URL of an npm registry that has the tarball. */
    registry: string;
  }
}

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Packs the package once for all test files, and publishes it in a local registry. */
export default async function pack({ provide }: TestProject): Promise<() => Promise<void>> {
  const workspace = await mkdtemp(join(tmpdir(), 'nestjs-kms-jwt-'));
  const started = startRegistry(join(workspace, 'registry'));
  const remove = async () => {
    await started.then(
      (registry) => registry.stop(),
      () => undefined,
    );
    await rm(workspace, { recursive: true });
  };
  try {
    const [tarball, registry] = await Promise.all([packInto(join(workspace, 'packed')), started]);
    await registry.publish(tarball);
    provide('workspace', workspace);
    provide('tarball', tarball);
    provide('registry', registry.url);
    return remove;
  } catch (error) {
    await remove();
    throw error;
  }
}

async function packInto(folder: string): Promise<string> {
  await mkdir(folder);
  // npm runs the script prepack first, which builds the package.
  await run(root, 'npm', 'pack', '--pack-destination', folder);
  const [tarball = ''] = await readdir(folder);
  return join(folder, tarball);
}
