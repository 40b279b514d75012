import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], setupFiles: ['reflect-metadata'], testTimeout: 20_000 },
});
