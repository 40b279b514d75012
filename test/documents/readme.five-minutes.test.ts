import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.js';
import { bash, block, compile, environment, localKms, start, useKms } from './readme.support.js';

const { compiled } = await compile('five-minutes');
useKms();

describe('five minutes', () => {
  test('the AWS CLI creates the key and its alias', async () => {
    const output = await bash(block('KEY_ID=$(aws'));
    expect(output.trim().split('\t')).toEqual([localKms.keys[0]?.arn, 'ECC_NIST_P256', 'SIGN_VERIFY']);
    expect(localKms.keys[0]?.aliases[0]?.aliasName).toBe('alias/auth');
  });

  test('the app logs in and says who is there, with no more permissions than the policy gives', async () => {
    localKms.resetCalls();
    const port = await freePort();
    const main = join(compiled, 'src/main.js');
    const app = await start(
      process.execPath,
      [main],
      environment({ PORT: `${port}` }),
      /successfully started/,
    );
    try {
      const output = await bash(block('TOKEN=$(curl').replaceAll('localhost:3000', `localhost:${port}`));
      expect(JSON.parse(output)).toMatchObject({ sub: 'user-42', roles: ['user'], aud: 'my-app' });
    } finally {
      await app.stop();
    }
    const called = Object.entries(localKms.calls).filter(([, count]) => count > 0);
    const policy = JSON.parse(block('{')) as { Statement: [{ Action: string[] }] };
    expect(called.map(([operation]) => `kms:${operation}`)).toEqual(policy.Statement[0].Action);
  });
});
