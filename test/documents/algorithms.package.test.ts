import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exec, ROOT } from './support.js';

/** Signs and verifies with ML-DSA in the built package, then prints the algorithm. */
const SCRIPT = `
  import 'reflect-metadata';
  import { NestFactory } from '@nestjs/core';
  import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
  import { LocalKms } from 'nestjs-kms-jwt/local';

  const client = new LocalKms({ keys: [{ alias: 'auth', keySpec: 'ML_DSA_44' }] }).client();
  const module = KmsJwtModule.forRoot({ keyId: 'alias/auth', algorithm: 'ML-DSA-44', client });
  const app = await NestFactory.createApplicationContext(module, { logger: false });
  const jwt = app.get(KmsJwtService);
  const { header } = await jwt.verify(await jwt.sign({}), { complete: true });
  console.log(header.alg);
  await app.close();
`;

describe.each(['esm', 'cjs'])('the built package, %s', (format) => {
  test.each(['index', 'shared'])('%s.js contains no implementation of ML-DSA', async (file) => {
    const code = await readFile(join(ROOT, 'dist', format, `${file}.js`), 'utf8');
    expect(code).not.toMatch(/node_modules\/@noble/);
  });

  test('shared.js imports ML-DSA from @noble/post-quantum at its first use', async () => {
    const code = await readFile(join(ROOT, 'dist', format, 'shared.js'), 'utf8');
    expect(code).toContain('await import("@noble/post-quantum/ml-dsa.js")');
  });
});

test('the built package signs and verifies with ML-DSA', async () => {
  const { stdout } = await exec(process.execPath, ['--input-type=module', '--eval', SCRIPT], { cwd: ROOT });
  expect(stdout.trim()).toBe('ML-DSA-44');
});
