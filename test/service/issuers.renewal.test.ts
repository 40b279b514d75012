import type { IssuerOptions, KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { startIssuer, type TestIssuer } from '../support/issuer.js';
import { errorOf, mismatch, startService } from './issuers.support.js';

/** A service whose function returns what the test sets, and is called again after a second. */
async function startWith(first: IssuerOptions, options: Partial<KmsJwtModuleOptions> = {}) {
  const app = { answer: first as IssuerOptions | undefined, isDown: false, asked: 0 };
  const issuers = async () => {
    app.asked += 1;
    if (app.isDown) throw new Error('s3cret');
    return app.answer;
  };
  const rotation = { refreshInterval: 1, maxStale: 60 };
  return { app, ...(await startService({ issuers, rotation, ...options })) };
}

const outcome = (started: Awaited<ReturnType<typeof startWith>>, token: string) => async () =>
  (await errorOf(started.jwt.verify(token)))?.name ?? 'accepted';
const eventually = (poll: () => unknown) => expect.poll(poll, { timeout: 10_000 });

describe('an issuer that a function has returned', () => {
  test('is refused once the function no longer returns it, and events report the removal of its keys', async () => {
    const corp = await startIssuer();
    const started = await startWith(corp.record({ name: 'corp' }));
    const { app, jwt, events } = started;
    await jwt.verify(corp.token());
    app.answer = undefined;
    await eventually(outcome(started, corp.token())).toBe('TokenClaimError');
    expect(await errorOf(jwt.verify(corp.token()))).toMatchObject(mismatch('iss'));
    expect(events).toContainEqual({ type: 'key_removed', kid: 'a', issuer: 'corp' });
    expect(jwt.health().issuers).toEqual({});
    const { fetches } = corp;
    const other = await startIssuer();
    const { jwt: beside } = await startService({
      issuers: [other.record()],
      rotation: { refreshInterval: 1, maxStale: 4 },
    });
    await beside.verify(other.token());
    await eventually(() => other.fetches).toBeGreaterThan(2);
    expect(corp.fetches).toBe(fetches);
  });

  test('is looked up once for all tokens of an interval, without a fetch of its keys', async () => {
    const corp = await startIssuer();
    const started = await startWith(corp.record({ keys: { jwks: corp.keySet } }));
    const { app, jwt } = started;
    const burst = () => Promise.all(Array.from({ length: 50 }, () => jwt.verify(corp.token())));
    await burst();
    expect(app.asked).toBe(1);
    const asked = async () => {
      await burst();
      return app.asked;
    };
    await eventually(asked).toBe(2);
    await burst();
    expect(app.asked).toBe(2);
    expect(corp.fetches).toBe(0);
  });

  test.each<[string, (server: TestIssuer, other: TestIssuer) => IssuerOptions, string, boolean]>([
    ['another audience', (corp) => corp.record({ audience: 'invoices' }), 'TokenClaimError', true],
    ['more claims', (corp) => corp.record({ claims: { tenant: 'x' } }), 'TokenClaimError', true],
    ['another algorithm', (corp) => corp.record({ algorithms: 'RS256' }), 'JwksUnavailableError', false],
    [
      'another jwksUri',
      (corp, other) => corp.record({ keys: { jwksUri: other.jwksUri } }),
      'TokenSignatureError',
      false,
    ],
    [
      'a key set instead of its URL',
      (corp, other) => corp.record({ keys: { jwks: other.keySet } }),
      'TokenSignatureError',
      false,
    ],
  ])('is verified with its new record: %s', async (_, changed, expected, keepsKeys) => {
    const [corp, other] = [await startIssuer(), await startIssuer()];
    const started = await startWith(corp.record());
    const { app, jwt, events } = started;
    await jwt.verify(corp.token());
    app.answer = changed(corp, other);
    await eventually(outcome(started, corp.token())).toBe(expected);
    const removed = events.filter(({ type }) => type === 'key_removed');
    expect(removed).toEqual(keepsKeys ? [] : [{ type: 'key_removed', kid: 'a', issuer: corp.url }]);
  });

  test('keeps its keys while its record is equal, even with new functions', async () => {
    const corp = await startIssuer();
    const started = await startWith(corp.record());
    const { app, jwt, events } = started;
    await jwt.verify(corp.token());
    const asked = async () => {
      app.answer = corp.record({ scopes: () => [] });
      await jwt.verify(corp.token());
      return app.asked;
    };
    await eventually(asked).toBe(3);
    expect(events.filter(({ issuer }) => issuer === corp.url).map(({ type }) => type)).toEqual([
      'key_published',
    ]);
  });

  test('is accepted while the function fails, and the log reports that without quoting the error', async () => {
    const corp = await startIssuer();
    const started = await startWith(corp.record());
    const { app, jwt, lines } = started;
    await jwt.verify(corp.token());
    app.isDown = true;
    const log = async () => {
      await jwt.verify(corp.token());
      return lines.join('\n');
    };
    await eventually(log).toMatch(
      /Could not look up an issuer again; .* until rotation\.maxStale: The function issuers failed$/m,
    );
    expect(lines.join('\n')).not.toContain('s3cret');
    // The function is not called for each token.
    const { asked } = app;
    for (let n = 0; n < 20; n += 1) await jwt.verify(corp.token());
    expect(app.asked).toBe(asked);
  });

  test('is unavailable once the function has failed for rotation.maxStale', async () => {
    const corp = await startIssuer();
    const rotation = { refreshInterval: 1, maxStale: 3 };
    const started = await startWith(corp.record({ keys: { jwks: corp.keySet } }), { rotation });
    await started.jwt.verify(corp.token());
    started.app.isDown = true;
    await eventually(outcome(started, corp.token())).toBe('IssuerUnavailableError');
    started.app.isDown = false;
    await expect(started.jwt.verify(corp.token())).resolves.toBeDefined();
  });
});
