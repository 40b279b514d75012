import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^nestjs-kms-jwt$/, replacement: source('index.ts') },
      { find: /^nestjs-kms-jwt\/terminus$/, replacement: source('terminus/index.ts') },
      { find: /^nestjs-kms-jwt\/local$/, replacement: source('local/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/faults/**', 'test/package/**'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 20_000,
  },
});
