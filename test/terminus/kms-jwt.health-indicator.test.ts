import { Inject, Injectable } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { type KmsJwtHealth, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { KmsJwtHealthIndicator } from 'nestjs-kms-jwt/terminus';
import { expect, onTestFinished, test, vi } from 'vitest';
import { forge, newKeyPair } from '../support/forge.js';

async function start(lazy = false) {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const module = await Test.createTestingModule({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }), lazy }),
    ],
    providers: [KmsJwtHealthIndicator],
  }).compile();
  onTestFinished(() => module.close());
  await module.init();
  const indicator = module.get(KmsJwtHealthIndicator);
  const check = () => module.get(HealthCheckService).check([() => indicator.isHealthy('tokens')]);
  return { localKms, check, jwt: module.get(KmsJwtService), keyId: localKms.keys[0]?.keyId ?? '' };
}

test('reports a service with its key as up, without a KMS call', async () => {
  const { localKms, check, keyId } = await start();
  localKms.resetCalls();
  expect(await check()).toMatchObject({
    status: 'ok',
    info: {
      tokens: {
        status: 'up',
        keys: [keyId],
        signing: keyId,
        refresh: 'ok',
        circuit: 'closed',
        verifyCircuit: 'closed',
        refusedSignatures: 0,
      },
    },
  });
  expect(localKms.calls.GetPublicKey).toBe(0);
});

test('reports up, and the failed refresh, if the keys could not be refreshed', async () => {
  const { localKms, check, jwt, keyId } = await start();
  localKms.inject({ kind: 'drop' });
  const ofUnknownKey = forge({ alg: 'ES256', kid: 'unknown' }, {}, newKeyPair().privateKey);
  await expect(jwt.verify(ofUnknownKey)).rejects.toMatchObject({ name: 'KmsUnavailableError' });
  expect(await check()).toMatchObject({
    status: 'ok',
    info: { tokens: { keys: [keyId], refresh: 'failed' } },
  });
});

test('reports a service without a key as down', async () => {
  const { check } = await start(true);
  await expect(check()).rejects.toMatchObject({
    response: { status: 'error', error: { tokens: { status: 'down', keys: [] } } },
  });
});

test.each([
  ['up while its stale key set can still be used', 1, 'up'],
  ['down once its key set is too old to be used', 0, 'down'],
])('reports a verify-only service as %s', (_, staleIn, status) => {
  const health: KmsJwtHealth = { keys: ['a'], refresh: 'failed', stale: true, staleIn, refusedSignatures: 0 };
  const indicator = new KmsJwtHealthIndicator({ health: () => health } as KmsJwtService);
  expect(indicator.isHealthy()).toEqual({ 'kms-jwt': { status, degraded: true, ...health } });
});

test('reports up and degraded while KMS does not answer Verify', async () => {
  const { localKms, check, jwt } = await start();
  const token = await jwt.sign({});
  const verify = () => jwt.verify(token, { verification: 'kms' });
  const outage = localKms.inject({ kind: 'drop', operation: 'Verify' });
  for (let call = 0; call < 10; call += 1) await verify().catch(() => {});
  expect(await check()).toMatchObject({
    status: 'ok',
    info: { tokens: { status: 'up', degraded: true, circuit: 'closed', verifyCircuit: 'open' } },
  });
  outage.stop();
  await expect.poll(() => verify().catch(() => undefined), { timeout: 5000 }).toBeDefined();
  expect(await check()).toMatchObject({
    info: { tokens: { degraded: false, circuit: 'closed', verifyCircuit: 'closed' } },
  });
});

const InternalHealthIndicator = KmsJwtHealthIndicator.named('internal');

@Injectable()
class Report {
  constructor(
    private readonly kmsJwt: KmsJwtHealthIndicator,
    @Inject(InternalHealthIndicator) private readonly internal: KmsJwtHealthIndicator,
  ) {}

  entries() {
    return { ...this.kmsJwt.isHealthy(), ...this.internal.isHealthy('internal') };
  }
}

test('reports the registration of its name, next to an indicator of the default registration', async () => {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'internal' }] });
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() }),
      KmsJwtModule.forRoot({ name: 'internal', keyId: 'alias/internal', client: localKms.client() }),
    ],
    providers: [KmsJwtHealthIndicator, InternalHealthIndicator, Report],
  }).compile();
  onTestFinished(() => module.close());
  await module.init();

  const [auth, internal] = localKms.keys.map(({ keyId }) => keyId);
  expect(module.get(Report).entries()).toMatchObject({
    'kms-jwt': { status: 'up', signing: auth },
    internal: { status: 'up', signing: internal },
  });
});

test('reports up and degraded while the alias lookup is overdue', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const { localKms, check, jwt, keyId } = await start();
  expect((await check()).info).toMatchObject({ tokens: { degraded: false, stale: false } });
  localKms.inject({ kind: 'drop', operation: 'GetPublicKey' });
  vi.advanceTimersByTime(331_000);
  expect(await check()).toMatchObject({
    status: 'ok',
    info: { tokens: { status: 'up', degraded: true, stale: true, signing: keyId } },
  });
  await jwt.sign({});
  expect((await check()).info).toMatchObject({ tokens: { degraded: false, stale: false } });
});
