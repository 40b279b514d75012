import { Logger } from '@nestjs/common';
import { createKmsJwtTesting, fakeClaims } from 'nestjs-kms-jwt/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe.each([
  ['fakeClaims', () => fakeClaims({ sub: 'user-42' })],
  ['createKmsJwtTesting', () => createKmsJwtTesting()],
])('%s', (_, call) => {
  test.each([
    ['test', 0],
    ['', 1],
    ['staging', 1],
  ])('warns with NODE_ENV %j this many times: %i', (env, count) => {
    vi.stubEnv('NODE_ENV', env);
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    call();
    expect(warn).toHaveBeenCalledTimes(count);
  });

  test.each(['production', 'Production', 'prod', ' prod '])('throws with NODE_ENV %j', (env) => {
    vi.stubEnv('NODE_ENV', env);
    expect(call).toThrow('is for tests only');
  });
});
