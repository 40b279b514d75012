import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KmsJwtModule, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, onTestFinished, test } from 'vitest';
import { describeRegistration } from '../../src/module/describe-registration.js';
import { readModuleOptions } from '../../src/options/read-options.js';
import { verificationKey } from '../support/verification-key.js';

const localKms = new LocalKms({ region: 'eu-west-1', keys: [{ alias: 'auth' }] });
const kms: KmsJwtModuleOptions = { keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }) };
const signOptions = { issuer: 'https://auth.example.com' };
const { jwk } = verificationKey('a');
const jwks = { keys: [jwk] };

let registrations = 0;

/** Starts an app. @returns the log lines of its registration, with their levels */
async function linesOf(
  options: KmsJwtModuleOptions & { jwksPath?: string },
  kind: 'create' | 'createApplicationContext' = 'create',
) {
  const name = `start-line-${(registrations += 1)}`;
  const lines: [level: string, line: string][] = [];
  const into =
    (level: string) =>
    (line: unknown, ...rest: unknown[]) =>
      void (rest.at(-1) === `KmsJwt:${name}` && lines.push([level, String(line)]));
  const logger = { log: into('log'), warn: into('warn'), error: into('error') };
  @Module({ imports: [KmsJwtModule.forRoot({ ...options, name })] })
  class AppModule {}
  const app = await NestFactory[kind](AppModule, { logger, abortOnError: false });
  onTestFinished(() => app.close());
  await app.init();
  return lines.filter(([, line]) => /^(?:Signing|Verifying) /.test(line));
}

test.each<[string, Parameters<typeof linesOf>, string]>([
  [
    'the alias, the Region, the issuer and the route of the key set',
    [{ ...kms, signOptions, jwksPath: '.well-known/jwks.json' }],
    'Signing with alias/auth in eu-west-1; issuer: https://auth.example.com; key set: /.well-known/jwks.json',
  ],
  [
    'the ARN of a key',
    [{ ...kms, keyId: localKms.keys[0]?.arn ?? '', jwksPath: '/keys' }],
    `Signing with ${localKms.keys[0]?.arn} in eu-west-1; issuer: none; key set: /keys`,
  ],
  [
    'no route if the app serves no HTTP',
    [{ ...kms, jwksPath: '/keys' }, 'createApplicationContext'],
    'Signing with alias/auth in eu-west-1; issuer: none; key set: not served',
  ],
  [
    'no Region if it is not known yet',
    [{ ...kms, lazy: true }],
    'Signing with alias/auth; issuer: none; key set: not served',
  ],
  [
    'the keys of a service that only verifies',
    [{ jwks, verifyOptions: { issuer: [/^https:\/\/a/, 'b'] } }],
    'Verifying with the keys of the option jwks; issuer: /^https:\\/\\/a/, b; key set: not served',
  ],
  [
    'other issuers',
    [
      {
        issuers: [
          { issuer: 'https://b', name: 'b c', algorithms: 'ES256', audience: 'orders', keys: { jwks } },
          { issuer: 'https://d', algorithms: 'ES256', audience: 'orders', keys: { jwks } },
        ],
      },
    ],
    'Verifying tokens of other issuers; other issuers: b?c, https://d; key set: not served',
  ],
])('the line at start has, once and at level log: %s', async (_, args, line) => {
  expect(await linesOf(...args)).toEqual([['log', line]]);
});

test('the line omits the query of a jwksUri, which may be a secret', () => {
  const settings = readModuleOptions({ jwksUri: 'https://auth.example.com/jwks?key=hush' });
  expect(describeRegistration(settings, { keyArn: undefined, jwksPath: undefined })).toBe(
    'Verifying with the key set https://auth.example.com/jwks; issuer: none; key set: not served',
  );
});

test.each<[string, KmsJwtModuleOptions, string]>([
  ['of the option regions', { keyId: 'mrk-1', regions: ['us-east-1', 'eu-west-1'] }, 'us-east-1, eu-west-1'],
  ['of the ARN', { keyId: 'arn:aws:kms:us-west-2:1:alias/auth', lazy: true }, 'us-west-2'],
  ['of the client', { keyId: 'alias/auth', client: { region: 'ap-south-1' } }, 'ap-south-1'],
])('the line has the Region %s before KMS has answered', (_, options, regions) => {
  const line = describeRegistration(readModuleOptions(options), { keyArn: undefined, jwksPath: undefined });
  expect(line).toBe(`Signing with ${options.keyId} in ${regions}; issuer: none; key set: not served`);
});

test('the line names a function issuers', () => {
  const settings = readModuleOptions({ ...kms, issuers: async () => undefined });
  expect(describeRegistration(settings, { keyArn: undefined, jwksPath: undefined })).toBe(
    'Signing with alias/auth; issuer: none; other issuers: those that the function issuers returns; key set: not served',
  );
});
