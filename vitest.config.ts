import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url));

/** Limits on elapsed time that a second busy core would break. */
const TIMED = [
  'test/examples/silent-dns.test.ts',
  'test/kms/{blocked-loop,multi-region-gateway,multi-region-gateway.verify,single-region-gateway}.test.ts',
  'test/module/shutdown.test.ts',
  'test/security/{corpus,time}.test.ts',
  'test/service/{blocked-loop,issuers.outages,issuers.random,kms-jwt.service.outage}.test.ts',
];
/** Fast, and without the built package, which test/kms/sdk-load-error needs: what `npm run check` runs. */
const UNITS = [
  'test/{async,errors,events,jwt,keys,layout,options}/**/*.test.ts',
  'test/kms/**/!(sdk-load-error).test.ts',
  'test/service/token-*.test.ts',
];
/** Apps of Nest inside the process of the test. */
const APPS = ['test/{auth,jwks,module,service,terminus,testing,transports}/**/*.test.ts'];
/** Count the sockets of their process, or sign and verify at full speed within fixed times. */
const ISOLATED = ['test/rotation/rotation.test.ts', 'test/security/concurrency/**/*.test.ts'];
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
        test: { name: 'units', include: UNITS, exclude: TIMED, isolate: false },
      },
      {
        extends: true,
        test: { name: 'apps', include: APPS, exclude: [...TIMED, ...UNITS], isolate: false },
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
          exclude: [...TIMED, ...UNITS, ...APPS, ...ISOLATED, ...OWN_CONFIG],
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'timed', include: TIMED, isolate: false, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
