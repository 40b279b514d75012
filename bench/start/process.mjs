// Times the steps of one start of an app: node bench/start/process.mjs <signing | verifying> <JSON> [--scripts | --profile]
// With --scripts it also counts the scripts of the AWS SDK, which slows it down; with --profile it ends after the import.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';

// Not part of the timed import, because every Nest app imports it.
await import('@nestjs/common');

const [kind, json, flag] = process.argv.slice(2);
const { options, token } = JSON.parse(json);
const awsScripts = flag === '--scripts' ? (await import('./loaded.mjs')).watchAwsScripts() : () => [];
const steps = {};

/** Records the duration of a step in milliseconds, and the number of AWS SDK scripts that are loaded after it. */
async function step(name, action) {
  const startedAt = performance.now();
  const result = await action();
  steps[name] = { milliseconds: performance.now() - startedAt, scripts: awsScripts().length };
  return result;
}

const importLibrary = () => import('nestjs-kms-jwt');
if (flag === '--profile') {
  const { profileOf } = await import('../profile.mjs');
  process.send(await profileOf(importLibrary));
  process.exit();
}
const { KmsJwtModule, KmsJwtService } = await step('import', importLibrary);
const app = await step('module init', () =>
  NestFactory.createApplicationContext(KmsJwtModule.forRoot(options), { logger: false, abortOnError: false }),
);
const jwt = app.get(KmsJwtService);
await step('first key', () => jwt.jwks());
const signed = kind === 'signing' ? await step('first token', () => jwt.sign({ sub: 'user-42' })) : token;
await step('first verification', () => jwt.verify(signed));
await app.close();
process.send(steps);
process.disconnect();
