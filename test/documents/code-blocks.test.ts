import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { blocksOf, compilerOptions, fileOf, GUIDES, ROOT } from './support.js';

/** All blocks: a file by its name, a command by its beginning. A comment names the folder whose tests run it, if not this one. */
const COVERED: Record<(typeof GUIDES)[number], string[]> = {
  'README.md': [
    'npm install nestjs-kms-jwt', // test/package
    'npx nestjs-kms-jwt local-kms',
    'src/auth.module.ts',
    'export AWS_ENDPOINT_URL_KMS=',
    'TOKEN=$(curl',
    'KEY_ID=$(aws kms create-key',
    '{',
    'src/recipes/orders.controller.ts',
    'src/recipes/keycloak.module.ts',
    'npm ci && npm test', // .ci/run
  ],
  'docs/transports.md': ['src/recipes/profile.transports.ts', 'src/recipes/handshakes.ts'],
  'docs/rotation.md': [
    'src/recipes/rotation.module.ts',
    'aws kms describe-key',
    'aws kms disable-key',
    'src/recipes/resource.module.ts',
    'src/recipes/regions.module.ts',
  ],
  'docs/recipes.md': [
    'tools/local-kms.ts',
    'export AWS_ENDPOINT_URL_KMS=',
    'src/recipes/async.module.ts',
    'src/recipes/feature.module.ts',
    'src/recipes/user.guard.ts',
    'src/recipes/migration.guard.ts',
    'src/recipes/request-user.ts',
    'src/recipes/claims-in-services.ts',
    'src/recipes/revocation.module.ts',
    'src/recipes/typed-claims.ts',
    'src/recipes/refresh-token.ts',
    'src/recipes/transfers.controller.ts',
    'src/recipes/named.module.ts',
    'src/recipes/health.module.ts',
    'src/filters.module.ts',
    'src/catch-all.filter.ts',
    'npx esbuild', // test/package
    'webpack.config.mjs', // test/package
  ],
  'docs/issuers.md': [
    'src/issuers/orders.module.ts',
    'src/issuers/cognito.ts',
    'src/issuers/auth0.ts',
    'src/issuers/entra.ts',
    'src/issuers/entra-tenants.ts',
    'src/issuers/keycloak.ts',
    'src/issuers/google.ts',
    'src/issuers/github-actions.ts',
    'src/recipes/issuers.module.ts',
    'KEYCLOAK_ISSUER=', // test/examples
    'curl -s "$JWKS_URI"',
    'src/issuers/snapshot.ts',
  ],
};

test.each(GUIDES)('every code block of %s is run by a test', async (document) => {
  const names = (await blocksOf(document)).map(
    (one) => fileOf(one) ?? COVERED[document].find((beginning) => one.text.startsWith(beginning)),
  );
  expect(names).toEqual(COVERED[document]);
});

test.each([...GUIDES, 'docs/algorithms.md', 'docs/testing.md'])(
  'all TypeScript of %s compiles against the built package',
  async (document) => {
    // Inside the package, so that the code can import it by its name.
    const sources = join(ROOT, 'dist/documents/ts', document);
    await rm(sources, { recursive: true, force: true });
    const files: string[] = [];
    for (const one of (await blocksOf(document)).filter(({ language }) => language === 'ts')) {
      const file = join(sources, fileOf(one) ?? 'unnamed.ts');
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, one.text);
      files.push(file);
    }
    const problems = ts.getPreEmitDiagnostics(ts.createProgram(files, compilerOptions({})));
    expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  },
);

test('the README has fewer than 250 lines', async () => {
  const text = await readFile(join(ROOT, 'README.md'), 'utf8');
  expect(text.split('\n').length - 1).toBeLessThan(250);
});
