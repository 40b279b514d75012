import { beforeAll, describe, expect, it } from 'vitest';
import { App } from './support/app.js';

describe('an app without @aws-sdk/client-kms', () => {
  let app: App;

  beforeAll(async () => {
    app = await App.install('no-sdk');
  });

  it.each([
    { build: 'ESM', file: 'nestjs-kms-jwt' },
    // Jest loads this one; Node.js itself never does, with import or require.
    { build: 'CommonJS', file: './node_modules/nestjs-kms-jwt/dist/cjs/index.js' },
  ])(
    'imports the $build build, and gets an error with the package to install when it uses a keyId',
    async ({ file }) => {
      const [imported, error] = (await app.run('node', 'main.mjs', file)).trim().split('\n');
      expect(imported).toBe('imported');
      expect(error).toMatch(
        /^KmsJwtOptionsError: .*keyId needs the package @aws-sdk\/client-kms: npm install @aws-sdk\/client-kms/,
      );
    },
  );

  it('compiles with exactOptionalPropertyTypes and without skipLibCheck', async () => {
    expect(await app.run('npx', 'tsc')).toBe('');
  });

  it('verifies with a key set, also while the issuer is down and after a rotation', async () => {
    expect((await app.run('node', 'verify-only.mjs')).trim().split('\n')).toEqual([
      'at first: signed by one',
      'with the issuer down: signed by one',
      'after a rotation: signed by two',
    ]);
    await expect(app.run('node', '--eval', "require('@aws-sdk/client-kms')")).rejects.toThrow(
      /MODULE_NOT_FOUND/,
    );
  });
});
