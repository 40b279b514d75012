import { defineConfig } from 'vitest/config';

// Chosen here, not by Stryker's `testFiles`: with that, mutants of module constants are never switched on (stryker-js#6144).
export default defineConfig({
  test: {
    testTimeout: 20_000,
    include: ['test/jwt/**/*.test.ts', 'test/service/{token-*,verified-tokens}.test.ts'],
  },
});
