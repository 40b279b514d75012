import { describe, expect, test } from 'vitest';
import { forge, newKeyPair } from '../support/forge.js';
import { ADAPTERS, appsOn, GuardedController, OpenController } from './kms-jwt.guard.support.js';

describe.each(Object.entries(ADAPTERS))('on %s', (_, newAdapter) => {
  const { current, start, get, post, login } = appsOn(newAdapter);

  describe('while KMS is unavailable', () => {
    const outage = {
      statusCode: 503,
      message: 'Service Unavailable',
      error: 'Service Unavailable',
      errorCode: 'kms_unavailable',
    };

    test.each(['throttle', 'drop', 'html', 'hang'] as const)(
      'answers 503 with Retry-After at the first use of a lazy key (%s), and verifies tokens once it has the key',
      async (kind) => {
        await start([GuardedController, OpenController], { lazy: true });
        const token = forge({ alg: 'ES256', kid: 'x' }, {}, newKeyPair().privateKey);
        current.localKms.inject({ kind, operation: 'GetPublicKey', times: 1 });
        const response = await get('/guarded/claims', `Bearer ${token}`);
        expect(response.status).toBe(503);
        expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(response.headers.get('www-authenticate')).toBeNull();
        expect(await response.json()).toEqual(outage);

        await login();
        expect((await get('/guarded/claims', `Bearer ${token}`)).status).toBe(401);
      },
    );

    test('answers 503 through the filter when a handler signs, and still verifies tokens', async () => {
      await start([GuardedController, OpenController]);
      const token = await login();
      current.localKms.inject({ kind: 'throttle' });
      const response = await post('/open/login', {});
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await response.json()).toEqual(outage);
      expect((await get('/guarded/claims', `Bearer ${token}`)).status).toBe(200);
    });

    test('answers 503 for a missing permission, without details of AWS', async () => {
      await start([OpenController]);
      current.localKms.inject({
        kind: 'error',
        name: 'AccessDeniedException',
        message: 'arn:aws:iam::123456789012:role/x',
      });
      const response = await post('/open/login', {});
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ ...outage, errorCode: 'kms_access_denied' });
    });
  });
});
