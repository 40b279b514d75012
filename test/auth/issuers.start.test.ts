import { Controller, Get, type Provider, type Type, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Issuers, KmsJwtGuard, KmsJwtModule, type KmsJwtModuleOptions, VerifyWith } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { OWN } from '../service/issuers.support.js';
import { startIssuer } from '../support/issuer.js';
import { bearer, startApp } from './support.js';

const appGuard: Provider = { provide: APP_GUARD, useClass: KmsJwtGuard };
const signOptions = { issuer: OWN };

@Controller()
class PayrollController {
  @Issuers('crop') @Get('payroll') payroll() {
    return {};
  }
}

@Controller()
class OrdersController {
  @VerifyWith({ issuers: ['own', 'crop'] }) @Get('orders') orders() {
    return {};
  }
}

@Issuers('crop')
@Controller()
class ReportsController {
  @UseGuards(KmsJwtGuard) @Get('reports') reports() {
    return {};
  }
}

@Controller()
class OwnController {
  @Issuers('own') @Get('own') own() {
    return {};
  }
}

@Controller()
class PartnersController {
  @UseGuards(KmsJwtGuard.named('partners')) @Issuers('partner') @Get('partners') partners() {
    return {};
  }
}

const start = (controller: Type, options: Partial<KmsJwtModuleOptions>, providers: Provider[] = [appGuard]) =>
  startApp({ controllers: [controller], providers, options: { signOptions, ...options } });

const refusal = (place: string, names: string, { unknown = 'crop', registration = 'default' } = {}) => ({
  name: 'KmsJwtOptionsError',
  option: 'VerifyWith.issuers',
  message: `KmsJwt: VerifyWith.issuers names '${unknown}' for ${place} (see @Issuers()), but the registration '${registration}' has only these: ${names}`,
});

describe('at start, an unknown issuer name', () => {
  test.each<[string, Type, string, Provider[]]>([
    ['@Issuers() on a route', PayrollController, 'PayrollController.payroll', [appGuard]],
    ['@VerifyWith() on a route', OrdersController, 'OrdersController.orders', [appGuard]],
    ['@Issuers() on a class, with a guard on its route', ReportsController, 'ReportsController.reports', []],
  ])('stops the app: %s', async (_, controller, place, providers) => {
    const corp = await startIssuer();
    const issuers = [corp.record({ name: 'corp' })];
    await expect(start(controller, { issuers }, providers)).rejects.toMatchObject(
      refusal(place, 'own, corp'),
    );
  });

  test('stops an app that has only own tokens', async () => {
    await expect(start(PayrollController, {})).rejects.toMatchObject(
      refusal('PayrollController.payroll', 'own'),
    );
  });

  test("stops an app without own tokens if the name is 'own'", async () => {
    const corp = await startIssuer();
    const options = { issuers: [corp.record()], keyId: undefined, client: undefined };
    const started = startApp({ controllers: [OwnController], providers: [appGuard], options });
    await expect(started).rejects.toMatchObject(refusal('OwnController.own', corp.url, { unknown: 'own' }));
  });

  test('is one that the registration of the deciding guard does not have', async () => {
    const [corp, partner] = [await startIssuer(), await startIssuer()];
    const named = (name: string) =>
      KmsJwtModule.forRoot({ name: 'partners', isGlobal: true, issuers: [partner.record({ name })] });
    const parts = {
      controllers: [PartnersController],
      providers: [appGuard],
      options: { signOptions, issuers: [corp.record({ name: 'corp' })] },
    };
    await expect(startApp({ ...parts, imports: [named('partner')] })).resolves.toBeDefined();
    await expect(startApp({ ...parts, imports: [named('other')] })).rejects.toMatchObject(
      refusal('PartnersController.partners', 'other', { unknown: 'partner', registration: 'partners' }),
    );
  });

  test('is reported with the known names, without their control characters', async () => {
    const corp = await startIssuer();
    const issuers = [corp.record({ name: 'corp\nextra' })];
    await expect(start(PayrollController, { issuers })).rejects.toMatchObject(
      refusal('PayrollController.payroll', 'own, corp?extra'),
    );
  });

  test('does not stop an app whose issuers come from a function: each token is then refused', async () => {
    const corp = await startIssuer();
    const issuers = async (iss: string) => (iss === corp.url ? corp.record({ name: 'corp' }) : undefined);
    const { get } = await start(PayrollController, { issuers });
    const response = await get('/payroll', bearer(corp.token()));
    expect([response.status, await response.json()]).toMatchObject([
      401,
      { errorCode: 'token_claim_invalid', message: 'The iss claim does not match the expected issuer' },
    ]);
  });
});
