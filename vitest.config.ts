import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url));

/** Tests with limits on elapsed time, which parallel tests would break. They run alone. */
const TIMED = [
  'test/kms/{multi-region-gateway,multi-region-gateway.verify,single-region-gateway}.test.ts',
  'test/security/{corpus,time}.test.ts',
  'test/service/{blocked-loop,issuers.outages,kms-jwt.service.outage}.test.ts',
];
/** Fast tests, which `npm run check` runs. */
const UNITS = [
  'test/{async,errors,events,jwt,keys,layout,options}/**/*.test.ts',
  'test/kms/**/*.test.ts',
  'test/service/token-*.test.ts',
];
/** Tests that start Nest apps in their own process. */
const APPS = ['test/{auth,jwks,module,service,terminus,testing,transports}/**/*.test.ts'];
/** Tests that count the sockets of their process, or sign and verify at full speed within fixed times. */
const ISOLATED = ['test/rotation/rotation.test.ts', 'test/security/concurrency/**/*.test.ts'];
/** Tests of `npm run test:long`. `npm test` skips them, because they take as long as the others. */
const LONG = [
  // Tests that run the built package in separate processes: examples, commands of the documents, apps that fail to start.
  'test/{documents,examples,types}/**/*.test.ts',
  'test/jwks/verify-without-sdk.test.ts',
  'test/kms/{blocked-loop,sdk-load-error}.test.ts',
  'test/local/cli.test.ts',
  'test/module/{failed-start,shutdown}.test.ts',
  // Tests of every algorithm, every verifier of AWS, random input and simulated fleets.
  'test/{algorithms,fleet,interop}/**/*.test.ts',
  'test/jwks/aws-verifiers.test.ts',
  'test/security/{each-algorithm,properties}.test.ts',
  'test/security/secrets/hostile-tokens.test.ts',
  'test/service/issuers.random.test.ts',
  // Tests that wait for real time to pass.
  'test/auth/issuers.connections.test.ts',
  'test/rotation/compromised-key.test.ts',
  'test/service/issuers.renewal.test.ts',
];
const LONG_TIMED = [
  'test/examples/silent-dns.test.ts',
  'test/kms/blocked-loop.test.ts',
  'test/module/shutdown.test.ts',
  'test/service/issuers.random.test.ts',
];
const OWN_CONFIG = ['test/faults/**', 'test/package/**'];

export default defineConfig({
  resolve: {
    alias: [
      { find: /^nestjs-kms-jwt$/, replacement: source('index.ts') },
      { find: /^nestjs-kms-jwt\/terminus$/, replacement: source('terminus/index.ts') },
      { find: /^nestjs-kms-jwt\/testing$/, replacement: source('testing/index.ts') },
      { find: /^nestjs-kms-jwt\/local$/, replacement: source('local/index.ts') },
    ],
  },
  test: {
    setupFiles: ['reflect-metadata'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // By default, Vitest leaves one core idle, which is half of a machine with two cores.
    maxWorkers: '100%',
    // Concurrent tests mostly wait for real time to pass, so all of them can run at once.
    maxConcurrency: 20,
    projects: [
      // Without isolation, Nest and the AWS SDK load once per worker instead of once per file, which halves the duration.
      {
        extends: true,
        test: { name: 'units', include: UNITS, exclude: [...TIMED, ...LONG], isolate: false },
      },
      {
        extends: true,
        test: { name: 'apps', include: APPS, exclude: [...TIMED, ...LONG, ...UNITS], isolate: false },
      },
      // Vitest starts projects in the order of their names. The longest file is in this one, because it must not be among the last.
      {
        extends: true,
        test: { name: 'isolated', include: ISOLATED },
      },
      {
        extends: true,
        test: {
          name: 'others',
          include: ['test/**/*.test.ts'],
          exclude: [...TIMED, ...LONG, ...UNITS, ...APPS, ...ISOLATED, ...OWN_CONFIG],
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'long', include: LONG, exclude: LONG_TIMED, isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'long-timed',
          include: LONG_TIMED,
          isolate: false,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: { name: 'timed', include: TIMED, isolate: false, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
