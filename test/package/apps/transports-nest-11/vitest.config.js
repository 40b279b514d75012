import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // These test modules of the source, which the package does not export.
    exclude: [...configDefaults.exclude, 'test/auth/{open-connections,request-claims,routes}.test.ts'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 20_000,
  },
});
