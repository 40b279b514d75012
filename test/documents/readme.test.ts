import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { blocks, blocksOf, compilerOptions, fileOf, ROOT } from './readme.support.js';

/** Where each block runs: a file by its name, a command by how it starts. */
const COVERED = {
  'npm ci && npm start': 'test/package/clone.test.ts and test/examples',
  'npm ci && npm test': '.ci/run',
  'npm install nestjs-kms-jwt': 'test/package',
  'KEY_ID=$(aws kms create-key': 'test/documents',
  '{': 'test/documents',
  'src/app.module.ts': 'test/documents',
  'src/auth.controller.ts': 'test/documents',
  'src/main.ts': 'test/documents',
  'TOKEN=$(curl': 'test/documents',
  'src/recipes/orders.controller.ts': 'test/documents',
  'src/recipes/profile.transports.ts': 'test/documents',
  'src/recipes/handshakes.ts': 'test/documents',
  'src/recipes/rotation.module.ts': 'test/documents',
  'aws kms describe-key': 'test/documents',
  'aws kms disable-key': 'test/documents',
  'src/recipes/resource.module.ts': 'test/documents',
  'src/recipes/regions.module.ts': 'test/documents',
  'src/recipes/revocation.module.ts': 'test/documents',
  'src/recipes/issuers.module.ts': 'test/documents',
  'KEYCLOAK_ISSUER=': 'test/examples',
  'src/recipes/async.module.ts': 'test/documents',
  'test/tokens.test.ts': 'test/documents',
  'tools/local-kms.ts': 'test/documents',
  'export AWS_ENDPOINT_URL_KMS=': 'test/documents',
  'src/recipes/typed-claims.ts': 'test/documents',
  'src/recipes/refresh-token.ts': 'test/documents',
  'src/recipes/transfers.controller.ts': 'test/documents',
  'src/recipes/named.module.ts': 'test/documents',
  'npm run bench': '.ci/run',
};

test('every code block of the README is run by a test', () => {
  const names = blocks.map(
    (one) => fileOf(one) ?? Object.keys(COVERED).find((beginning) => one.text.startsWith(beginning)),
  );
  expect(names).toEqual(Object.keys(COVERED));
});

test.each(['README.md', 'docs/issuers.md', 'docs/algorithms.md', 'docs/testing.md'])(
  'all TypeScript of %s compiles against the package as it is built',
  async (document) => {
    // Inside the package, so that the code finds it by its name.
    const sources = join(ROOT, 'dist/readme/ts', document);
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
