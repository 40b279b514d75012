import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { loadError } from '../../src/kms/sdk-load-error.js';

const SDK = '@aws-sdk/client-kms';
const IS_MISSING = 'KmsJwt: keyId needs the package @aws-sdk/client-kms: npm install @aws-sdk/client-kms';
const NOT_LOADED = 'KmsJwt: keyId cannot be used: the AWS SDK or the KMS gateway failed to load';

const notFound = (code: string, message: string) => Object.assign(new Error(message), { code });

describe('a missing AWS SDK is named', () => {
  test.each([
    ['import', 'ERR_MODULE_NOT_FOUND', `Cannot find package '${SDK}' imported from /app/open-gateway.js`],
    ['require', 'MODULE_NOT_FOUND', `Cannot find module '${SDK}'\nRequire stack:\n- /app/open-gateway.js`],
    ['Jest', 'MODULE_NOT_FOUND', `Cannot find module '${SDK}' from 'open-gateway.js'`],
    [
      "Plug'n'Play",
      'MODULE_NOT_FOUND',
      `nestjs-kms-jwt tried to access ${SDK} (a peer dependency) but it isn't provided by your application`,
    ],
  ])('with %s', (_, code, message) => {
    expect(loadError(notFound(code, message))).toMatchObject({
      message: IS_MISSING,
      cause: { code, message },
    });
  });
});

describe('the error is reported as it is when', () => {
  test.each<[string, unknown, string]>([
    [
      'a dependency of the SDK is missing (import)',
      notFound(
        'ERR_MODULE_NOT_FOUND',
        `Cannot find package '@smithy/core' imported from /node_modules/${SDK}/a.js`,
      ),
      `${NOT_LOADED} (Error: Cannot find package '@smithy/core' imported from /node_modules/${SDK}/a.js)`,
    ],
    [
      'a dependency of the SDK is missing (require)',
      notFound(
        'MODULE_NOT_FOUND',
        `Cannot find module '@smithy/core'\nRequire stack:\n- /node_modules/${SDK}/a.js`,
      ),
      `${NOT_LOADED} (Error: Cannot find module '@smithy/core')`,
    ],
    [
      'a file of the SDK is missing',
      notFound('MODULE_NOT_FOUND', `Cannot find module '/node_modules/${SDK}/dist-cjs/index.js'`),
      `${NOT_LOADED} (Error: Cannot find module '/node_modules/${SDK}/dist-cjs/index.js')`,
    ],
    [
      'a package whose name starts with that of the SDK is missing',
      notFound('MODULE_NOT_FOUND', `Cannot find module '${SDK}-extras'`),
      `${NOT_LOADED} (Error: Cannot find module '${SDK}-extras')`,
    ],
    [
      'a module has a syntax error',
      new SyntaxError('Unexpected token'),
      `${NOT_LOADED} (SyntaxError: Unexpected token)`,
    ],
    [
      'the SDK does not support the version of Node.js',
      notFound('ERR_UNSUPPORTED', `Cannot find package '${SDK}'`),
      `${NOT_LOADED} (Error: Cannot find package '${SDK}')`,
    ],
    ['a module throws a string', 'boom', `${NOT_LOADED} (string: boom)`],
    ['a module throws undefined', undefined, `${NOT_LOADED} (undefined: undefined)`],
  ])('%s', (_, error, message) => {
    expect(loadError(error)).toMatchObject({ name: 'KmsJwtOptionsError', option: 'keyId', message });
  });

  test('the cause is a copy without further properties', () => {
    const error = Object.assign(new Error('no'), { requireStack: ['/app'], url: 'file:///app' });
    const { cause } = loadError(error);
    expect(cause).not.toBe(error);
    expect(Object.keys(cause as object)).toEqual(['name']);
  });
});

describe('in an app', () => {
  const SCRIPT = fileURLToPath(new URL('load-failure.mjs', import.meta.url));
  const COMMONJS = fileURLToPath(new URL('../../dist/cjs/index.js', import.meta.url));

  const start = async (missing: string, library: string) => {
    const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, missing, library]);
    return JSON.parse(stdout) as unknown;
  };

  describe.each([
    ['ESM', 'nestjs-kms-jwt', 'ERR_MODULE_NOT_FOUND'],
    ['CommonJS', COMMONJS, 'MODULE_NOT_FOUND'],
  ])('(%s build)', (_, library, code) => {
    test('the error names the missing SDK', async () => {
      expect(await start(SDK, library)).toEqual({
        name: 'KmsJwtOptionsError',
        code: 'options_invalid',
        message: IS_MISSING,
        cause: { properties: ['message', 'name', 'code'], code },
      });
    });

    test('the error names a missing dependency of the SDK', async () => {
      expect(await start('@smithy/core', library)).toMatchObject({
        name: 'KmsJwtOptionsError',
        message: `${NOT_LOADED} (Error: Cannot find module '@smithy/core')`,
        cause: { code: 'MODULE_NOT_FOUND' },
      });
    });
  });
});
