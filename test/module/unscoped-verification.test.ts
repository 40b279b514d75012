import { Test } from '@nestjs/testing';
import { KmsJwtModule, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, onTestFinished, test } from 'vitest';
import { jwksOf, newKeys } from '../security/support.js';

const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client({ maxAttempts: 1 });
const own: KmsJwtModuleOptions = { keyId: 'alias/auth', client };
const foreign: KmsJwtModuleOptions = { jwks: jwksOf(newKeys()) };
let registrations = 0;

/** Starts a registration, and returns its warnings. */
async function warningsOf(options: KmsJwtModuleOptions): Promise<string[]> {
  const warnings: string[] = [];
  const name = `registration-${(registrations += 1)}`;
  const warn = (line: string, ...rest: string[]) => {
    if (rest.at(-1) === `KmsJwt:${name}`) warnings.push(line);
  };
  const app = await Test.createTestingModule({ imports: [KmsJwtModule.forRoot({ ...options, name })] })
    .setLogger({ log: () => {}, error: () => {}, warn })
    .compile();
  onTestFinished(() => app.close());
  await app.init();
  return warnings;
}

test.each([
  ['an own key', own, 'signOptions'],
  ['a key set', foreign, 'verifyOptions'],
])(
  'start warns once if tokens of %s are verified with neither issuer nor audience',
  async (_, options, group) => {
    expect(await warningsOf(options)).toEqual([
      expect.stringMatching(/neither .*issuer nor .*audience.*RFC 8725, sections 3\.8 and 3\.9/i),
    ]);
    expect((await warningsOf(options))[0]).toContain(`${group}.issuer and ${group}.audience`);
  },
);

test.each<[string, KmsJwtModuleOptions]>([
  ['signOptions.issuer', { ...own, signOptions: { issuer: 'https://auth.example' } }],
  ['signOptions.audience', { ...own, signOptions: { audience: 'orders' } }],
  ['verifyOptions.issuer', { ...own, verifyOptions: { issuer: /^https:/ } }],
  ['verifyOptions.audience', { ...foreign, verifyOptions: { audience: 'orders' } }],
])('start does not warn with %s', async (_, options) => {
  expect(await warningsOf(options)).toEqual([]);
});
