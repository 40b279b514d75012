import { DisableKeyCommand } from '@aws-sdk/client-kms';
import { Controller, Get, type Provider, type Type, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { KmsJwtGuard, KmsJwtModule, type KmsJwtModuleOptions, Public, VerifyWith } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { newKeyPair } from '../support/forge.js';
import { bearer, startApp } from './support.js';

@Controller()
class PaymentsController {
  @Get('balance') balance() {
    return {};
  }
  @VerifyWith({ verification: 'kms' }) @Get('transfer') transfer() {
    return {};
  }
  @VerifyWith({ verification: 'local' }) @Get('rates') rates() {
    return {};
  }
}

const appGuard: Provider = { provide: APP_GUARD, useClass: KmsJwtGuard };

/** An app with these routes, a token, and a function that returns the status and the error code of a path. */
async function start(controller: Type, options: Partial<KmsJwtModuleOptions> = {}) {
  const parts = { controllers: [controller], providers: [appGuard], options };
  const { jwt, get, localKms } = await startApp(parts);
  const token = await jwt.sign({ sub: 'user-42' });
  const statusOf = async (path: string, sent = token) => {
    const response = await get(path, bearer(sent));
    const { errorCode } = (await response.json()) as { errorCode?: string };
    return errorCode === undefined ? response.status : `${response.status} ${errorCode}`;
  };
  const disable = () => localKms.client().send(new DisableKeyCommand({ KeyId: localKms.keys[0]?.keyId }));
  return { jwt, get, token, statusOf, localKms, disable };
}

describe("@VerifyWith({ verification: 'kms' })", () => {
  test('calls Verify for each request to its route, and for no other', async () => {
    const { statusOf, localKms } = await start(PaymentsController);
    for (let count = 0; count < 3; count += 1) expect(await statusOf('/balance')).toBe(200);
    expect(localKms.calls.Verify).toBe(0);
    for (let count = 0; count < 3; count += 1) expect(await statusOf('/transfer')).toBe(200);
    expect(localKms.calls.Verify).toBe(3);
  });

  test('answers the next request with 401 once the key is disabled; other routes still admit the token', async () => {
    const { statusOf, get, token, disable } = await start(PaymentsController);
    expect(await statusOf('/transfer')).toBe(200);
    await disable();
    expect(await statusOf('/transfer')).toBe('401 token_key_disabled');
    expect(await statusOf('/balance')).toBe(200);
    const { headers } = await get('/transfer', bearer(token));
    expect(headers.get('www-authenticate')).toBe(
      'Bearer error="invalid_token", error_description="The key of the token is disabled or pending deletion"',
    );
  });

  test.each(['throttle', 'hang', 'drop', 'html'] as const)(
    'answers 503 with Retry-After while Verify fails (%s), never 401; other routes still admit the token',
    async (kind) => {
      const { statusOf, get, token, localKms } = await start(PaymentsController, {
        limits: { timeout: 200 },
      });
      localKms.inject({ kind, operation: 'Verify' });
      expect(await statusOf('/transfer')).toBe('503 kms_unavailable');
      expect((await get('/transfer', bearer(token))).headers.get('retry-after')).toBe('1');
      expect(await statusOf('/balance')).toBe(200);
    },
  );

  test('answers 503 if kms:Verify is not allowed, because that says nothing about the token', async () => {
    const { statusOf, localKms } = await start(PaymentsController);
    localKms.inject({ kind: 'error', name: 'AccessDeniedException', operation: 'Verify' });
    expect(await statusOf('/transfer')).toBe('503 kms_access_denied');
  });

  test('makes no call for a token that local checks refuse', async () => {
    const { jwt, statusOf, token, localKms } = await start(PaymentsController);
    expect(await statusOf('/transfer', `${token.slice(0, -8)}AAAAAAAA`)).toMatch(/^401/);
    expect(await statusOf('/transfer', await jwt.sign({ exp: 1 }))).toBe('401 token_expired');
    expect(localKms.calls.Verify).toBe(0);
  });

  test("as an option of the module, is overridden by verification: 'local' on a route", async () => {
    const { statusOf, localKms } = await start(PaymentsController, { verification: 'kms' });
    expect([await statusOf('/balance'), await statusOf('/rates')]).toEqual([200, 200]);
    expect(localKms.calls.Verify).toBe(1);
  });
});

const refusal = (place: string, registration = 'default') => ({
  name: 'KmsJwtOptionsError',
  option: 'VerifyWith.verification',
  message: `KmsJwt: VerifyWith.verification is 'kms' for ${place}, but the registration '${registration}' has no keyId, and KMS does not have the keys of jwksUri or jwks: leave it out there to verify locally`,
});

describe("at start, a route with verification: 'kms'", () => {
  const { publicKey } = newKeyPair();
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a' }] };
  const verifyOnly = { keyId: undefined, client: undefined, jwks };
  @Controller()
  class OpenController {
    @Public() @Get() read() {
      return {};
    }
  }

  @VerifyWith({ verification: 'kms' })
  @Controller()
  class ReportsController {
    @UseGuards(KmsJwtGuard) @Get() read() {
      return {};
    }
  }

  @Controller()
  class PartnersController {
    @UseGuards(KmsJwtGuard.named('partners'))
    @VerifyWith({ verification: 'kms' })
    @Get()
    read() {
      return {};
    }
  }

  test('is refused behind an app guard of a registration with jwks', async () => {
    const started = startApp({
      controllers: [PaymentsController],
      providers: [appGuard],
      options: verifyOnly,
    });
    await expect(started).rejects.toMatchObject(refusal('PaymentsController.transfer'));
  });

  test('is refused if its class has the option, and the route its own guard', async () => {
    const started = startApp({ controllers: [ReportsController], options: verifyOnly });
    await expect(started).rejects.toMatchObject(refusal('ReportsController.read'));
  });

  test('is refused behind the guard of a named registration with jwks', async () => {
    const partners = KmsJwtModule.forRoot({ name: 'partners', isGlobal: true, jwks });
    const started = startApp({
      controllers: [PartnersController],
      providers: [appGuard],
      imports: [partners],
    });
    await expect(started).rejects.toMatchObject(refusal('PartnersController.read', 'partners'));
  });

  test('is accepted if the deciding guard belongs to a registration with a key in KMS', async () => {
    const partners = KmsJwtModule.forRoot({ name: 'partners', isGlobal: true, jwks });
    const parts = { controllers: [PaymentsController], providers: [appGuard], imports: [partners] };
    await expect(startApp(parts)).resolves.toBeDefined();
  });

  test('is refused only behind a guard: an app with a public route starts', async () => {
    const controllers = [OpenController];
    await expect(
      startApp({ controllers, providers: [appGuard], options: verifyOnly }),
    ).resolves.toBeDefined();
  });
});
