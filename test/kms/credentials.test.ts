import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test, vi } from 'vitest';
import { gatewayWith, GOOD, LIMITS, UNSENT } from './credentials.support.js';

const REGIONS = ['eu-central-1', 'eu-west-1'];

/** A provider that returns these results first, and then valid credentials. */
function providerOf(...first: (() => unknown)[]) {
  const calls = { count: 0 };
  const provider = async () => {
    calls.count += 1;
    return ((await first[calls.count - 1]?.()) ??
      (calls.count > first.length ? GOOD : undefined)) as typeof GOOD;
  };
  return { calls, provider };
}

const expired = () => ({ ...GOOD, expiration: new Date(Date.now() + 1000) });
const never = () => new Promise<never>(() => {});

const INVALID = {
  name: 'KmsAccessDeniedError',
  message: expect.stringMatching(
    /^The credentials for GetPublicKey with alias\/auth are not valid .*: `client\.credentials` must /,
  ),
};
const EXPIRED_STRING = { ...GOOD, expiration: '2030-01-01T00:00:00Z' };

describe.each([
  ['one Region', []],
  ['two Regions', REGIONS],
])('with %s, a credential provider', (_, regions) => {
  const failing = (result: () => unknown) => providerOf(...(regions[0] ? [result, result] : [result]));

  test.each<[string, () => unknown, object]>([
    ['never settles', never, UNSENT],
    ['returns undefined', () => undefined, INVALID],
    ['returns null', () => null, INVALID],
    ['returns an object without keys', () => ({}), INVALID],
    ['returns an expiration that is not a Date', () => EXPIRED_STRING, INVALID],
  ])('that once %s is called again after ten seconds', async (__, result, error) => {
    const { calls, provider } = failing(result);
    const { call, advance } = await gatewayWith({ credentials: provider }, { regions });
    await expect(call()).rejects.toMatchObject(error);
    const asked = calls.count;

    advance(9999);
    await expect(call()).rejects.toMatchObject(error);
    expect(calls.count).toBe(asked);

    advance(1);
    await expect(call()).resolves.toMatchObject({ keySpec: 'ECC_NIST_P256' });
  });

  test('that rejects once is called again by the next call', async () => {
    const { provider } = failing(() => Promise.reject(new Error('The vault is sealed')));
    const { call } = await gatewayWith({ credentials: provider }, { regions });
    await expect(call()).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'failure',
      message: expect.stringMatching(
        /^No request was sent for GetPublicKey .* \(Error\): .*`client\.credentials`/,
      ),
    });
    await expect(call()).resolves.toBeDefined();
  });

  test('whose refresh of expired credentials never settles is called again', async () => {
    const results = regions[0] ? [expired, expired, never, never] : [expired, never];
    const { provider } = providerOf(...results);
    const { call, advance } = await gatewayWith({ credentials: provider }, { regions });
    // The SDK refreshes the credentials while it still uses the old ones.
    await expect(call()).rejects.toMatchObject(UNSENT);
    advance(10_000);
    await expect(call()).resolves.toBeDefined();
  });
});

test('credentials without an expiration that AWS refuses are fetched again after ten seconds', async () => {
  const { calls, provider } = providerOf();
  const { kms, call, advance } = await gatewayWith({ credentials: provider, maxAttempts: 1 });
  await call();
  const refused = kms.inject({ kind: 'error', name: 'ExpiredTokenException' });
  await expect(call()).rejects.toMatchObject({ name: 'KmsAccessDeniedError' });
  refused.stop();
  await call();
  expect(calls.count).toBe(1);
  advance(10_000);
  await call();
  expect(calls.count).toBe(2);
});

test('credentials that AWS accepts are kept, even if the role has no permission', async () => {
  const { calls, provider } = providerOf();
  const { kms, call, advance } = await gatewayWith({ credentials: provider, maxAttempts: 1 });
  kms.inject({ kind: 'error', name: 'AccessDeniedException' });
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(call()).rejects.toMatchObject({ name: 'KmsAccessDeniedError' });
    advance(10_000);
  }
  expect(calls.count).toBe(1);
});

test('a provider that never settles is called at most every ten seconds', async () => {
  const { calls, provider } = providerOf(...Array.from({ length: 1000 }, () => never));
  const limits = { timeout: 5, maxConcurrency: 10, maxQueue: 10 };
  const { call, advance } = await gatewayWith({ credentials: provider }, { limits });
  for (let second = 0; second < 60; second += 1) {
    await Promise.allSettled([call(), call(), call()]);
    advance(1000);
  }
  expect(calls.count).toBe(6);
});

test('a call in flight keeps its client when the client is replaced', async () => {
  const { provider } = providerOf(
    () => GOOD,
    () => GOOD,
  );
  const { kms, gateway, call, advance } = await gatewayWith(
    { credentials: provider, maxAttempts: 1 },
    { limits: { ...LIMITS, timeout: 3000 } },
  );
  await call();
  const held = kms.inject({ kind: 'hang', times: 1 });
  const inFlight = call();
  await vi.waitFor(() => expect(held.count).toBe(1));
  kms.inject({ kind: 'error', name: 'ExpiredTokenException', times: 1 });
  await expect(gateway.getPublicKey('alias/auth')).rejects.toMatchObject({ name: 'KmsAccessDeniedError' });
  advance(10_000);
  await call();
  held.stop();
  await expect(inFlight).resolves.toBeDefined();
});

test('a client of the app is never replaced, whether given directly or by a function', async () => {
  const kms = new LocalKms({ keys: [{ alias: 'auth' }] });
  for (const regions of [[], ['eu-west-1']]) {
    const { calls, provider } = providerOf(() => undefined);
    const client = kms.client({ credentials: provider });
    let made = 0;
    const ofRegion = () => {
      made += 1;
      return client;
    };
    const { call, advance } = await gatewayWith({}, { regions, client: regions[0] ? ofRegion : client });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect(call()).rejects.toMatchObject(INVALID);
      advance(10_000);
    }
    expect(calls.count).toBe(1);
    expect(made).toBe(regions.length);
  }
});

/** A function that returns the result of `first` once, and then `then`. */
const firstly = <T>(first: () => unknown, then: T) => {
  let count = 0;
  return async () => {
    count += 1;
    return (count === 1 ? await first() : then) as T;
  };
};

describe('a function', () => {
  test('for the Region that once never settles, or returns undefined, is called again by the next call', async () => {
    const hanging = await gatewayWith({ credentials: GOOD, region: firstly(never, 'us-east-1') });
    const silent = hanging.call();
    await expect(silent).rejects.toMatchObject(UNSENT);
    await expect(hanging.call()).resolves.toBeDefined();

    const undefinedOnce = firstly(() => undefined, 'us-east-1');
    const missing = await gatewayWith({ credentials: GOOD, region: undefinedOnce });
    await expect(missing.call()).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option: 'client.region',
    });
    await expect(missing.call()).resolves.toBeDefined();
  });

  test('for the endpoint that once never settles, or returns undefined, is called again by the next call', async () => {
    const { hostname, port } = new URL((await gatewayWith({})).url);
    const endpoint = { protocol: 'http:', hostname, port: Number(port), path: '/' };
    const hanging = await gatewayWith({ credentials: GOOD, endpoint: firstly(never, endpoint) });
    await expect(hanging.call()).rejects.toMatchObject(UNSENT);
    await expect(hanging.call()).resolves.toBeDefined();

    const missing = await gatewayWith({ credentials: GOOD, endpoint: firstly(() => undefined, endpoint) });
    await expect(missing.call()).rejects.toMatchObject({
      name: 'KmsUnavailableError',
      reason: 'failure',
      message: expect.stringMatching(/^No request was sent .*`client\.endpoint`/),
    });
    await expect(missing.call()).resolves.toBeDefined();
  });
});
