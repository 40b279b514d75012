import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from './support/run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LICENCES = ['esm', 'cjs'].map((build) => `dist/${build}/local/store/ecdsa.js.LICENSE.txt`);

describe('the tarball', () => {
  const workspace = join(inject('workspace'), 'tarball');
  const folder = join(workspace, 'package');

  beforeAll(async () => {
    await mkdir(workspace);
    await run(workspace, 'tar', '-xzf', inject('tarball'));
  });

  it('holds both builds of every source file, the documents, and nothing else', async () => {
    const sources = await filesOf(join(ROOT, 'src'));
    const modules = sources.map((file) => file.replace(/\.ts$/, ''));
    expect(await filesOf(folder)).toEqual(
      [
        'ARCHITECTURE.md',
        'CHANGELOG.md',
        'CONTRIBUTING.md',
        'LICENSE',
        'README.md',
        'SECURITY.md',
        'docs/mutants.md',
        'docs/refusals.md',
        'package.json',
        'dist/cjs/package.json',
        ...LICENCES,
        ...modules.flatMap((module) => [`dist/cjs/${module}.js`, `dist/cjs/${module}.d.ts`]),
        ...modules.flatMap((module) => [`dist/esm/${module}.js`, `dist/esm/${module}.d.ts`]),
      ].toSorted(),
    );
  });

  it('holds every file that package.json names', async () => {
    const text = await readFile(join(folder, 'package.json'), 'utf8');
    const { main, types, exports, typesVersions } = JSON.parse(text);
    const named = pathsIn([main, types, exports, typesVersions]);
    expect(named).toContain('./dist/esm/local/index.js');
    expect(named.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
  });

  describe('bundles @noble/curves for LocalKms', () => {
    it('and installs no package of @noble', async () => {
      const { dependencies, peerDependencies, optionalDependencies } = JSON.parse(
        await readFile(join(folder, 'package.json'), 'utf8'),
      );
      const installed = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
      expect(installed).toContain('cockatiel');
      expect(installed.filter((name) => name.startsWith('@noble/'))).toEqual([]);
    });

    it.each(LICENCES)('with its licence: %s', async (file) => {
      const licence = await readFile(join(folder, file), 'utf8');
      for (const name of ['curves', 'hashes']) {
        const original = await readFile(join(ROOT, `node_modules/@noble/${name}/LICENSE`), 'utf8');
        expect(licence).toContain(`@noble/${name} `);
        expect(licence).toContain(original.trim());
      }
    });

    it('without a mention in any type', async () => {
      const types = (await filesOf(folder)).filter((file) => file.endsWith('.d.ts'));
      const texts = await Promise.all(types.map((file) => readFile(join(folder, file), 'utf8')));
      expect(types).toContain('dist/cjs/local/store/ecdsa.d.ts');
      expect(types.filter((_, index) => texts[index]?.includes('noble'))).toEqual([]);
    });

    // The package finds the peer beside it and, outside of the repository, no @noble/curves.
    beforeAll(async () => {
      await mkdir(join(workspace, 'node_modules/@aws-sdk'), { recursive: true });
      const sdk = 'node_modules/@aws-sdk/client-kms';
      await symlink(join(ROOT, sdk), join(workspace, sdk));
    });

    it.each([
      { how: 'import', load: "await import('nestjs-kms-jwt/local')" },
      { how: 'require', load: "require('nestjs-kms-jwt/local')" },
      // What Jest gets; node itself never does, whether it imports or requires.
      { how: 'require of the CommonJS build', load: "require('./dist/cjs/local/index.js')" },
    ])('so that LocalKms signs after $how, on every curve', async ({ load }) => {
      const script = `
        import { createPublicKey, verify } from 'node:crypto';
        import { createRequire } from 'node:module';
        import { GetPublicKeyCommand, SignCommand } from '@aws-sdk/client-kms';
        const require = createRequire(import.meta.url);
        const { LocalKms } = ${load};
        const curves = { P256: 256, P384: 384, P521: 512, P256K1: 256 };
        for (const [curve, bits] of Object.entries(curves)) {
          const keySpec = (curve === 'P256K1' ? 'ECC_SECG_' : 'ECC_NIST_') + curve;
          const client = new LocalKms({ keys: [{ alias: 'auth', keySpec }] }).client();
          const KeyId = 'alias/auth';
          const Message = Buffer.from('header.payload');
          const SigningAlgorithm = 'ECDSA_SHA_' + bits;
          const { Signature } = await client.send(new SignCommand({ KeyId, Message, SigningAlgorithm }));
          const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }));
          const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
          console.log(curve, verify('sha' + bits, Message, key, Signature));
        }`;
      const output = await run(folder, 'node', '--no-warnings', '--input-type=module', '--eval', script);
      expect(output).toBe('P256 true\nP384 true\nP521 true\nP256K1 true\n');
      await expect(run(folder, 'node', '--eval', "require('@noble/curves')")).rejects.toThrow(
        /MODULE_NOT_FOUND/,
      );
    });
  });
});

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

function pathsIn(value: unknown): string[] {
  return typeof value === 'string' ? [value] : Object.values(value as object).flatMap(pathsIn);
}
