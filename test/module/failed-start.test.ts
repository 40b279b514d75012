import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import type { LocalKmsFault } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../support/start.mjs', import.meta.url));

interface Start {
  options?: Partial<KmsJwtModuleOptions> & { jwksPath?: string; discovery?: boolean };
  fault?: LocalKmsFault;
  abortOnError?: boolean;
}

/** Starts an app in a separate process. @returns its exit code and its output lines */
function run(start: Start): Promise<{ code: unknown; lines: string[] }> {
  const env = { ...process.env, NO_COLOR: '1', NODE_NO_WARNINGS: '1' };
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, JSON.stringify(start)], { env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, lines: `${stdout}${stderr}`.trimEnd().split('\n') }),
    );
  });
}

const CASES: [string, Start, RegExp][] = [
  [
    'a wrong option',
    { options: { limits: { timeout: -1 } } },
    /KmsJwtOptionsError: KmsJwt: limits\.timeout must be a positive whole number of milliseconds/,
  ],
  [
    'discovery without an issuer',
    { options: { jwksPath: 'jwks.json', discovery: true } },
    /KmsJwtOptionsError: KmsJwt: discovery needs signOptions\.issuer/,
  ],
  [
    'a key that does not exist',
    { options: { keyId: 'alias/none' } },
    /KmsKeyError: KMS refused GetPublicKey with alias\/none \(NotFoundException\): there is no such key/,
  ],
  [
    'a key of the wrong spec',
    { options: { keyId: 'alias/rsa' } },
    /KmsKeyError: The KMS key \S+ is RSA_2048 for SIGN_VERIFY; it must be ECC_NIST_P256 .*create-key/,
  ],
  [
    'a missing permission',
    { fault: { kind: 'error', name: 'AccessDeniedException' } },
    /KmsAccessDeniedError: AWS denied GetPublicKey with alias\/auth .*: allow kms:GetPublicKey/,
  ],
  [
    'a KMS that cannot be reached',
    { fault: { kind: 'drop' } },
    /KmsUnavailableError: KMS could not be reached for GetPublicKey with alias\/auth \(ECONNRESET\): check/,
  ],
  [
    'an issuer that is down',
    { options: { jwksUri: 'http://127.0.0.1:2/jwks.json' } },
    /JwksUnavailableError: The key set \S+ is unavailable: the connection was refused.* set lazy: true, or .* a snapshot/,
  ],
];

describe.each(CASES)('%s stops the start', (_, failing, message) => {
  test('with one error in the log of Nest, without a stack trace', async () => {
    const { code, lines } = await run(failing);
    expect(code).toBe(1);
    const errors = lines.filter((line) => / ERROR /.test(line));
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect(errors[0]).toMatch(/^\[Nest\] .* ERROR \[ExceptionHandler\] /);
    const rest = lines.slice(lines.indexOf(errors[0] ?? '') + 1);
    // Only the properties of the error follow: no stack trace, and no second message by Node.js.
    expect(rest.filter((line) => !/^ *(?:[\w'$[\]]+: |[{}])/.test(line))).toEqual([]);
    expect(rest.length).toBeLessThan(20);
  });
});

test('with abortOnError: false, NestFactory.create rejects with the error', async () => {
  const { code, lines } = await run({ options: { keyId: 'alias/none' }, abortOnError: false });
  expect(code).toBe(0);
  expect(lines).toContain('bootstrap rejected: KmsKeyError');
});

test('a correct app starts, and exits by itself', async () => {
  const { code, lines } = await run({});
  expect(code).toBe(0);
  expect(lines.filter((line) => / ERROR /.test(line))).toEqual([]);
  expect(lines).toContainEqual(expect.stringContaining('Nest application successfully started'));
});
