import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.js';
import { folder, localKms, useKms } from './kms.js';
import { bash, block, compile, environment, ROOT, start } from './support.js';

const { compiled } = await compile('five-minutes');
useKms();

/** As `nest new` generates it. */
const MAIN = `
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { AuthModule } from './auth.module.js';
  class AppModule {}
  Module({ imports: [AuthModule] })(AppModule);
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT);
`;

/** Starts the app with these variables, and runs the commands of step 5. */
async function logIn(variables: Record<string, string>): Promise<string[]> {
  const port = await freePort();
  const main = join(compiled, 'src/main.js');
  await writeFile(main, MAIN);
  const app = await start(
    process.execPath,
    [main],
    environment({ ...variables, PORT: `${port}` }),
    /successfully started/,
  );
  try {
    const output = await bash(block('TOKEN=$(curl').replaceAll('localhost:3000', `localhost:${port}`));
    return output.split(/(?<=\})(?=HTTP)/);
  } finally {
    await app.stop();
  }
}

function expectAdmission([claims = '', refusal = '']: string[]): void {
  expect(JSON.parse(claims)).toMatchObject({ sub: 'user-42', scope: 'orders:read', aud: 'my-app' });
  expect(refusal).toMatch(/^HTTP\/1\.1 401 Unauthorized/);
}

describe('a guarded route in five minutes', () => {
  test('works with the local KMS, whose key stays the same after a restart', async () => {
    const command = block('npx nestjs-kms-jwt').trim().split(' ').slice(2);
    const port = await freePort();
    const keys = new Set<string>();
    for (let run = 0; run < 2; run += 1) {
      const args = [join(ROOT, 'dist/esm/local/cli.js'), ...command, '--port', `${port}`];
      const kms = await start(process.execPath, args, environment(), /is (\S+)\n(export .+\nexport .+)\n/);
      try {
        const [, arn = '', printed = ''] = kms.found;
        keys.add(arn);
        // Step 4 of the README has the lines that it prints.
        expect(block('export AWS_ENDPOINT_URL_KMS=')).toContain(printed.replace(`:${port}`, ':4599'));
        expectAdmission(await logIn({ AWS_ENDPOINT_URL_KMS: `http://127.0.0.1:${port}` }));
      } finally {
        await kms.stop();
      }
    }
    expect(keys.size).toBe(1);
    expect(await readFile(join(folder, '.local-kms.json'), 'utf8')).toContain('alias/auth');
  });

  test('works on AWS with the key that the AWS CLI creates, and calls only what the policy allows', async () => {
    const output = await bash(block('KEY_ID=$(aws'));
    expect(output.trim().split('\t')).toEqual([localKms.keys[0]?.arn, 'ECC_NIST_P256', 'SIGN_VERIFY']);
    expect(localKms.keys[0]?.aliases[0]?.aliasName).toBe('alias/auth');

    localKms.resetCalls();
    expectAdmission(await logIn({}));
    const called = Object.entries(localKms.calls).filter(([, count]) => count > 0);
    const { Action } = JSON.parse(block('{')) as { Action: string[] };
    expect(called.map(([operation]) => `kms:${operation}`)).toEqual(Action);
  });
});
