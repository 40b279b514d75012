import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url));

/** Limits on elapsed time that a second busy core would break. */
const TIMED = [
  'test/kms/{multi-region-gateway,multi-region-gateway.verify,single-region-gateway}.test.ts',
  'test/security/{corpus,time}.test.ts',
  'test/service/{blocked-loop,issuers.outages,kms-jwt.service.outage}.test.ts',
];
/** Fast: what `npm run check` runs. */
const UNITS = [
  'test/{async,errors,events,jwt,keys,layout,options}/**/*.test.ts',
  'test/kms/**/*.test.ts',
  'test/service/token-*.test.ts',
];
/** Apps of Nest inside the process of the test. */
const APPS = ['test/{auth,jwks,module,service,terminus,testing,transports}/**/*.test.ts'];
/** Count the sockets of their process, or sign and verify at full speed within fixed times. */
const ISOLATED = ['test/rotation/rotation.test.ts', 'test/security/concurrency/**/*.test.ts'];
/** What `npm run test:long` runs, and `npm test` leaves out: it takes as long as the rest. */
const LONG = [
  // Processes that run the built package: the examples, the commands of the documents, apps that fail to start.
  'test/{documents,examples,types}/**/*.test.ts',
  'test/jwks/verify-without-sdk.test.ts',
  'test/kms/{blocked-loop,sdk-load-error}.test.ts',
  'test/local/cli.test.ts',
  'test/module/{failed-start,shutdown}.test.ts',
  // Every algorithm, every verifier of AWS, random input and simulated fleets.
  'test/{algorithms,fleet,interop}/**/*.test.ts',
  'test/jwks/aws-verifiers.test.ts',
  'test/security/{each-algorithm,properties}.test.ts',
  'test/security/secrets/hostile-tokens.test.ts',
  'test/service/issuers.random.test.ts',
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
    // By default Vitest leaves one core idle, which on two cores is half of the machine.
    maxWorkers: '100%',
    // Concurrent tests wait for real time to pass: none of them should wait for another.
    maxConcurrency: 20,
    projects: [
      // Without isolation Nest and the AWS SDK load once per worker, not once per file: half of the time.
      {
        extends: true,
        test: { name: 'units', include: UNITS, exclude: [...TIMED, ...LONG], isolate: false },
      },
      {
        extends: true,
        test: { name: 'apps', include: APPS, exclude: [...TIMED, ...LONG, ...UNITS], isolate: false },
      },
      // Vitest starts the projects in the order of their names: the longest file of these must not be among the last.
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
