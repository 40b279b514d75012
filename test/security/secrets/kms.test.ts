import { KmsJwtError } from 'nestjs-kms-jwt';
import { type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { CARRIERS, ECHOES, echoSign, FAULTS, quoteOf, quoting } from './kms.js';
import { setUp } from './support.js';

describe.each([
  ['in process', 'DIGEST'],
  ['in process', 'RAW'],
  ['over HTTP', 'RAW'],
] as const)('no secret leaks from KMS %s that quotes the %s it was sent, with', (carrier, messageType) => {
  test.each(FAULTS)('%s', async (_, fault) => {
    const app = await setUp({ messageType }, carrier);
    const injected = app.kms.localKms.inject(quoting(fault, quoteOf(app.signingInput)));
    expect(await app.thrownBy(() => app.jwt.sign(app.claims))).toBeInstanceOf(KmsJwtError);
    expect(await app.login(app.claims)).toBe(503);
    expect(injected.count).toBeGreaterThanOrEqual(2);
    expect(app.secrets.foundIn(app.recorder.recorded)).toEqual([]);
  });
});

test.each(Object.keys(CARRIERS))('no secret leaks from a silent KMS %s', async (carrier) => {
  const app = await setUp({ messageType: 'RAW', limits: { timeout: 1000 } }, carrier);
  app.kms.localKms.inject({ kind: 'hang', operation: 'Sign', times: 1 });
  app.kms.localKms.inject({ kind: 'delay', milliseconds: 60_000, operation: 'Sign' });
  const thrown = app.thrownBy(() => app.jwt.sign(app.claims));
  expect(await app.login(app.claims)).toBe(503);
  expect(await thrown).toMatchObject({ reason: 'timeout' });
  expect(app.secrets.foundIn(app.recorder.recorded)).toEqual([]);
});

test('no secret leaks from an outage until the circuit opens', async () => {
  const app = await setUp({ messageType: 'RAW' });
  app.jwt.events.subscribe((event) => app.recorder.record(event));
  const fault: LocalKmsFault = { kind: 'error', name: 'KMSInternalException', status: 500 };
  app.kms.localKms.inject(quoting(fault, quoteOf(app.signingInput)));
  const sign = () => app.thrownBy(() => app.jwt.sign(app.claims));
  await expect.poll(sign).toMatchObject({ reason: 'circuit_open' });
  expect(await app.login(app.claims)).toBe(503);
  expect(app.secrets.foundIn(app.recorder.recorded)).toEqual([]);
});

test.each(Object.entries(ECHOES))('no secret leaks from a proxy that answers with %s', async (_, echo) => {
  const { jwt, kms, claims, secrets, login, thrownBy, recorder } = await setUp(
    { messageType: 'RAW' },
    'over HTTP',
  );
  await echoSign(kms, echo);
  expect(await thrownBy(() => jwt.sign(claims))).toMatchObject({ code: 'kms_unavailable' });
  expect(await login(claims)).toBe(503);
  expect(secrets.foundIn(recorder.recorded)).toEqual([]);
});

test('no secret leaks from an aborted call of sign', async () => {
  const { jwt, kms, claims, secrets, thrownBy, recorder } = await setUp({ messageType: 'RAW' });
  await thrownBy(() => jwt.sign(claims, { signal: AbortSignal.abort() }));
  const outage = kms.localKms.inject({ kind: 'hang', operation: 'Sign' });
  await thrownBy(() => jwt.sign(claims, { signal: AbortSignal.timeout(5) }));
  // The app waits for the call during its shutdown.
  outage.stop();
  expect(secrets.foundIn(recorder.recorded)).toEqual([]);
});
