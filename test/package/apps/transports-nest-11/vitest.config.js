import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They test modules of the sources, which the package does not export.
    exclude: [...configDefaults.exclude, 'test/auth/{open-connections,request-claims,routes}.test.ts'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 20_000,
  },
});
