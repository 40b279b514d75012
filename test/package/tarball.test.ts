import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from './support/run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LICENSES = ['esm', 'cjs'].map((build) => `dist/${build}/local-kms.js.LICENSE.txt`);
/** A file for each entry point, for their shared code, for LocalKms, and for the code that only a key in KMS needs. */
const ENTRIES = ['index', 'local/index', 'terminus/index', 'testing/index'];
const BUNDLES = [...ENTRIES, 'shared', 'local-kms', 'open-gateway'];

describe('the tarball', () => {
  const workspace = join(inject('workspace'), 'tarball');
  const folder = join(workspace, 'package');

  beforeAll(async () => {
    await mkdir(workspace);
    await run(workspace, 'tar', '-xzf', inject('tarball'));
  });

  it('contains both builds, the types of every source file, the documents, and nothing else', async () => {
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
        ...(await filesOf(join(ROOT, 'docs'))).map((file) => `docs/${file}`),
        'package.json',
        'dist/cjs/package.json',
        'dist/cjs/rolldown-runtime.js',
        'dist/esm/local/cli.js',
        ...LICENSES,
        ...['cjs', 'esm'].flatMap((build) => [
          ...BUNDLES.map((bundle) => `dist/${build}/${bundle}.js`),
          ...modules.map((module) => `dist/${build}/${module}.d.ts`),
        ]),
      ].toSorted(),
    );
  });

  it('contains every file that package.json names', async () => {
    const text = await readFile(join(folder, 'package.json'), 'utf8');
    const { main, types, exports, typesVersions, bin } = JSON.parse(text);
    const named = pathsIn([main, types, exports, typesVersions, bin]);
    expect(named).toContain('./dist/esm/local/index.js');
    expect(named.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
  });

  describe('bundles the parts of @noble that LocalKms needs', () => {
    it('and has no @noble package as a dependency, except an optional peer for ML-DSA', async () => {
      const { dependencies, peerDependencies, peerDependenciesMeta, optionalDependencies } = JSON.parse(
        await readFile(join(folder, 'package.json'), 'utf8'),
      );
      const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
      const installed = [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers];
      expect(installed).toContain('cockatiel');
      expect(installed.filter((name) => name.startsWith('@noble/'))).toEqual([]);
    });

    it.each(LICENSES)('with their licenses: %s', async (file) => {
      const license = await readFile(join(folder, file), 'utf8');
      for (const name of ['curves', 'hashes', 'post-quantum']) {
        const original = await readFile(join(ROOT, `node_modules/@noble/${name}/LICENSE`), 'utf8');
        expect(license).toContain(`@noble/${name} `);
        expect(license).toContain(original.trim());
      }
    });

    it('without a mention in the types', async () => {
      const types = (await filesOf(folder)).filter((file) => file.endsWith('.d.ts'));
      const texts = await Promise.all(types.map((file) => readFile(join(folder, file), 'utf8')));
      expect(types).toContain('dist/cjs/local/store/key-pairs/ecdsa.d.ts');
      expect(types.filter((_, index) => texts[index]?.includes('noble'))).toEqual([]);
    });

    // Outside of the repository the package can resolve this peer, and no @noble package.
    beforeAll(async () => {
      await mkdir(join(workspace, 'node_modules/@aws-sdk'), { recursive: true });
      const sdk = 'node_modules/@aws-sdk/client-kms';
      await symlink(join(ROOT, sdk), join(workspace, sdk));
    });

    it.each([
      { how: 'import', load: "await import('nestjs-kms-jwt/local')" },
      { how: 'require', load: "require('nestjs-kms-jwt/local')" },
      // Jest loads this one; Node.js itself never does, with import or require.
      { how: 'require of the CommonJS build', load: "require('./dist/cjs/local/index.js')" },
    ])('so that LocalKms signs with every family of algorithms after $how', async ({ load }) => {
      const script = `
        import { createPublicKey, verify } from 'node:crypto';
        import { createRequire } from 'node:module';
        import { GetPublicKeyCommand, SignCommand, VerifyCommand } from '@aws-sdk/client-kms';
        const require = createRequire(import.meta.url);
        const { LocalKms } = ${load};
        const Message = Buffer.from('header.payload');
        const KeyId = 'alias/auth';
        // The hash by which node:crypto verifies, null if the algorithm has its own; Node 20 has no ML-DSA.
        const specs = {
          ECC_NIST_P256: ['ECDSA_SHA_256', 'sha256'],
          ECC_NIST_P384: ['ECDSA_SHA_384', 'sha384'],
          ECC_NIST_P521: ['ECDSA_SHA_512', 'sha512'],
          ECC_SECG_P256K1: ['ECDSA_SHA_256', 'sha256'],
          ECC_NIST_EDWARDS25519: ['ED25519_SHA_512', null],
          RSA_2048: ['RSASSA_PKCS1_V1_5_SHA_256', 'sha256'],
          ML_DSA_65: ['ML_DSA_SHAKE_256'],
        };
        for (const [keySpec, [SigningAlgorithm, hash]] of Object.entries(specs)) {
          const client = new LocalKms({ keys: [{ alias: 'auth', keySpec }] }).client();
          const input = { KeyId, Message, SigningAlgorithm };
          const { Signature } = await client.send(new SignCommand(input));
          await client.send(new VerifyCommand({ ...input, Signature }));
          if (hash === undefined) continue;
          const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }));
          const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
          if (!verify(hash, Message, key, Signature)) throw new Error(keySpec);
        }
        console.log('all verified');`;
      const output = await run(folder, 'node', '--no-warnings', '--input-type=module', '--eval', script);
      expect(output).toBe('all verified\n');
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
