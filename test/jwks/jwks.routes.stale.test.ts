import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const ADAPTERS = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};

let localKms: LocalKms;
let app: INestApplication;

beforeEach(() => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  // Timers and sockets use real time: only the clocks that measure the age of a lookup are simulated.
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
});
afterEach(async () => {
  await app.close();
  vi.useRealTimers();
});

async function start(adapter: keyof typeof ADAPTERS): Promise<void> {
  const kmsJwt = KmsJwtModule.forRoot({
    keyId: 'alias/auth',
    client: localKms.client({ maxAttempts: 1 }),
    jwksPath: 'keys',
  });
  const module = await Test.createTestingModule({ imports: [kmsJwt] }).compile();
  app = module.createNestApplication(ADAPTERS[adapter](), { logger: false });
  await app.listen(0, '127.0.0.1');
}

async function getKeys(headers: Record<string, string> = {}) {
  const response = await fetch(`${await app.getUrl()}/keys`, { headers });
  const body = await response.text();
  const header = (name: string) => response.headers.get(name) ?? undefined;
  return { status: response.status, cacheControl: header('cache-control'), etag: header('etag'), body };
}

test.each(['Express', 'Fastify'] as const)(
  'on %s, a key set that may be out of date is served with no-store',
  async (adapter) => {
    await start(adapter);
    const fresh = await getKeys();
    expect(fresh).toMatchObject({ status: 200, cacheControl: expect.stringMatching(/max-age=300/) });
    const ifNoneMatch = { 'if-none-match': fresh.etag ?? '' };
    expect(await getKeys(ifNoneMatch)).toMatchObject({ status: 304 });

    const outage = localKms.inject({ kind: 'drop' });
    vi.advanceTimersByTime(331_000);
    for (const stale of [await getKeys(), await getKeys(ifNoneMatch)]) {
      expect(stale).toMatchObject({ status: 200, cacheControl: 'no-store', body: fresh.body });
      // Express adds its own ETag.
      expect(stale.etag).not.toBe(fresh.etag);
    }

    outage.stop();
    await app.get(KmsJwtService).sign({});
    expect(await getKeys()).toEqual(fresh);
    expect(await getKeys(ifNoneMatch)).toMatchObject({ status: 304, cacheControl: fresh.cacheControl });
  },
);
