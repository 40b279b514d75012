import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // It tests a module of the sources, which the package does not export.
    exclude: [...configDefaults.exclude, 'test/auth/request-claims.test.ts'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 20_000,
  },
});
