import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    dir: fileURLToPath(new URL('.', import.meta.url)),
    include: ['*.test.ts'],
    globalSetup: fileURLToPath(new URL('./support/pack.ts', import.meta.url)),
    testTimeout: 400_000,
    hookTimeout: 300_000,
  },
});
