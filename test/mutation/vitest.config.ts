import { defineConfig } from 'vitest/config';

// Selected here, because with Stryker's `testFiles` mutants of module constants are never activated (stryker-js#6144).
export default defineConfig({
  test: {
    testTimeout: 20_000,
    include: ['test/jwt/**/*.test.ts', 'test/service/{token-*,verified-tokens}.test.ts'],
  },
});
