/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  // The code that decides whether a token is valid. docs/mutants.md explains the survivors.
  mutate: [
    'src/jwt/**/*.ts',
    'src/service/{token-*,ask-within,claims-schema,verified-tokens,kms-message,kms-verifier}.ts',
  ],
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  reporters: ['clear-text'],
  clearTextReporter: { allowColor: false, reportTests: false },
  thresholds: { high: 98, low: 95, break: 95 },
};
