import type { INestApplication, LoggerService } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  getKmsJwtServiceToken,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  type KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const ADAPTERS = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};
const UNAVAILABLE = { statusCode: 503, message: 'Service Unavailable', error: 'Service Unavailable' };
const INTERNAL = { statusCode: 500, message: 'Internal Server Error', error: 'Internal Server Error' };

const LOGGER: LoggerService = {
  log: () => {},
  warn: () => {},
  error: (line: string, ...rest: string[]) => void errors.push(`[${rest.at(-1)}] ${line}`),
};

let localKms: LocalKms;
let app: INestApplication;
let errors: string[];

beforeEach(() => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  errors = [];
});
afterEach(() => app.close());

/** Serves the key set of a registration named after the adapter, and collects the logged errors. */
async function start(adapter: keyof typeof ADAPTERS, options: Partial<KmsJwtModuleOptions> = {}) {
  const kmsJwt = KmsJwtModule.forRoot({
    keyId: 'alias/auth',
    client: localKms.client({ maxAttempts: 1 }),
    lazy: true,
    jwksPath: 'keys',
    name: adapter,
    ...options,
  });
  const module = await Test.createTestingModule({ imports: [kmsJwt] }).compile();
  app = module.createNestApplication(ADAPTERS[adapter](), { logger: LOGGER });
  await app.listen(0, '127.0.0.1');
  return app.get<KmsJwtService>(getKmsJwtServiceToken(adapter));
}

async function getKeys() {
  const response = await fetch(`${await app.getUrl()}/keys`);
  return { status: response.status, headers: response.headers, body: (await response.json()) as object };
}

describe.each(['Express', 'Fastify'] as const)('on %s', (adapter) => {
  test('answers 503 with Retry-After for an outage, and logs it', async () => {
    await start(adapter);
    localKms.inject({ kind: 'throttle' });
    const { status, headers, body } = await getKeys();
    expect({ status, body }).toEqual({ status: 503, body: { ...UNAVAILABLE, errorCode: 'kms_unavailable' } });
    expect(headers.get('retry-after')).toBe('1');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(errors).toEqual([
      expect.stringMatching(/Could not serve \/keys: KmsUnavailableError: KMS throttled /),
    ]);
  });

  test('answers 503 for a call that AWS denies, and logs it', async () => {
    await start(adapter);
    localKms.inject({ kind: 'error', name: 'AccessDeniedException' });
    const { status, body } = await getKeys();
    expect({ status, body }).toEqual({
      status: 503,
      body: { ...UNAVAILABLE, errorCode: 'kms_access_denied' },
    });
    expect(errors).toEqual([
      expect.stringMatching(/Could not serve \/keys: KmsAccessDeniedError: AWS denied /),
    ]);
  });

  test('answers 500 without Retry-After for wrong options, and logs it', async () => {
    await start(adapter, { kid: () => '' });
    const { status, headers, body } = await getKeys();
    expect({ status, body }).toEqual({ status: 500, body: { ...INTERNAL, errorCode: 'options_invalid' } });
    expect(headers.get('retry-after')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
    expect(errors).toEqual([
      expect.stringMatching(/Could not serve \/keys: KmsJwtOptionsError: KmsJwt: kid /),
    ]);
  });

  test('answers 500 for an unexpected error, and logs it', async () => {
    const jwt = await start(adapter);
    vi.spyOn(jwt, 'jwks').mockRejectedValue(new TypeError('keys is not iterable'));
    const { status, headers, body } = await getKeys();
    expect({ status, body }).toEqual({ status: 500, body: { ...INTERNAL, errorCode: 'internal_error' } });
    expect(headers.get('retry-after')).toBeNull();
    expect(errors).toEqual([`[KmsJwt:${adapter}] Could not serve /keys: TypeError: keys is not iterable`]);
  });
});
