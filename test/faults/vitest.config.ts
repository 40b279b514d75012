import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    dir: fileURLToPath(new URL('.', import.meta.url)),
    include: ['*.test.ts'],
    // Each file measures times under load.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 30_000,
    disableConsoleIntercept: true,
  },
});
