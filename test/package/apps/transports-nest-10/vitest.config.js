import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/auth/{claims,expiry,transports}/**/*.test.ts',
      'test/auth/{authenticated,refusal}.test.ts',
    ],
    setupFiles: ['reflect-metadata'],
    testTimeout: 20_000,
  },
});
