import { KmsJwtError } from 'nestjs-kms-jwt';
import { type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { CARRIERS, ECHOES, echoSign, FAULTS, quoteOf, quoting } from './kms.js';
import { setUp } from './support.js';

describe.each([
  ['in process', 'DIGEST'],
  ['in process', 'RAW'],
  ['over HTTP', 'RAW'],
] as const)('KMS %s, that is sent the %s and quotes it', (carrier, messageType) => {
  test.each(FAULTS)('%s', async (_, fault) => {
    const app = await setUp({ messageType }, carrier);
    const injected = app.kms.localKms.inject(quoting(fault, quoteOf(app.signingInput)));
    expect(await app.thrownBy(() => app.jwt.sign(app.claims))).toBeInstanceOf(KmsJwtError);
    expect(await app.login(app.claims)).toBe(503);
    expect(injected.count).toBeGreaterThanOrEqual(2);
    expect(app.secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
  });
});

test.each(Object.keys(CARRIERS))('KMS %s that is silent', async (carrier) => {
  const app = await setUp({ messageType: 'RAW', limits: { timeout: 1000 } }, carrier);
  app.kms.localKms.inject({ kind: 'hang', operation: 'Sign', times: 1 });
  app.kms.localKms.inject({ kind: 'delay', milliseconds: 60_000, operation: 'Sign' });
  const thrown = app.thrownBy(() => app.jwt.sign(app.claims));
  expect(await app.login(app.claims)).toBe(503);
  expect(await thrown).toMatchObject({ reason: 'timeout' });
  expect(app.secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
});

test('KMS that is away until it is not asked any more', async () => {
  const app = await setUp({ messageType: 'RAW' });
  app.jwt.events.subscribe((event) => app.eavesdropper.hear(event));
  const fault: LocalKmsFault = { kind: 'error', name: 'KMSInternalException', status: 500 };
  app.kms.localKms.inject(quoting(fault, quoteOf(app.signingInput)));
  const sign = () => app.thrownBy(() => app.jwt.sign(app.claims));
  await expect.poll(sign).toMatchObject({ reason: 'circuit_open' });
  expect(await app.login(app.claims)).toBe(503);
  expect(app.secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
});

test.each(Object.entries(ECHOES))('a proxy that answers with %s', async (_, echo) => {
  const { jwt, kms, claims, secrets, login, thrownBy, eavesdropper } = await setUp(
    { messageType: 'RAW' },
    'over HTTP',
  );
  await echoSign(kms, echo);
  expect(await thrownBy(() => jwt.sign(claims))).toMatchObject({ code: 'kms_unavailable' });
  expect(await login(claims)).toBe(503);
  expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
});

test('signing that is given up', async () => {
  const { jwt, kms, claims, secrets, thrownBy, eavesdropper } = await setUp({ messageType: 'RAW' });
  await thrownBy(() => jwt.sign(claims, { signal: AbortSignal.abort() }));
  const away = kms.localKms.inject({ kind: 'hang', operation: 'Sign' });
  await thrownBy(() => jwt.sign(claims, { signal: AbortSignal.timeout(5) }));
  // The app waits for the call at its shutdown.
  away.stop();
  expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
});
