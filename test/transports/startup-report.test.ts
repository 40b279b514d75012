import {
  type CanActivate,
  Controller,
  Get,
  Injectable,
  Post,
  type Provider,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Query, Resolver, Subscription } from '@nestjs/graphql';
import { WebSocketGateway } from '@nestjs/websockets';
import {
  fromAuthHeader,
  fromCookie,
  type KmsJwtGuard,
  KmsJwtModule,
  OptionalAuth,
  Public,
  Scopes,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { graphql, guardedBy, type Parts, startAndRead, uncovered } from './startup-report.support.js';

@Injectable()
class OtherGuard implements CanActivate {
  canActivate() {
    return true;
  }
}

@Controller('orders')
class OrdersController {
  @Get() list() {
    return [];
  }
  @Public() @Get('prices') prices() {
    return [];
  }
  @OptionalAuth() @Get('offers') offers() {
    return [];
  }
  @UseGuards(OtherGuard) @Scopes('orders:write') @Post() order() {
    return {};
  }
  notRouted() {
    return this.list();
  }
}

@Public()
@Controller('open')
class OpenController {
  @Get() read() {
    return {};
  }
  @Public(false) @Get('closed') closed() {
    return {};
  }
}

const mixedAndOrders = (guard: Type<KmsJwtGuard>) => [guardedBy(guard).MixedController, OrdersController];
const allGuarded = (guard: Type<KmsJwtGuard>) => Object.values(guardedBy(guard));
const otherAppGuard = () => [{ provide: APP_GUARD, useClass: OtherGuard }];

describe('startup logs the routes that no KmsJwtGuard covers', () => {
  test('if the app has a KmsJwtGuard on a class or on a handler', async () => {
    const lines = await startAndRead({
      controllers: (guard) => [...Object.values(guardedBy(guard)), OrdersController, OpenController],
    });
    expect(lines).toEqual([
      uncovered('the HTTP route MixedController.unguarded'),
      uncovered('the HTTP route DerivedController.unguarded'),
      uncovered('the HTTP route OrdersController.list'),
      uncovered('the HTTP route OrdersController.order'),
      uncovered('the HTTP route OpenController.closed'),
    ]);
  });

  test.each<[string, (guard: Type<KmsJwtGuard>) => Provider[]]>([
    ['a class', (guard) => [{ provide: APP_GUARD, useClass: guard }]],
    ['an existing provider', (guard) => [guard, { provide: APP_GUARD, useExisting: guard }]],
    ['a request-scoped class', (guard) => [{ provide: APP_GUARD, useClass: guard, scope: Scope.REQUEST }]],
    [
      'a request-scoped factory',
      (guard) => [
        guard,
        { provide: APP_GUARD, useFactory: (made: object) => made, inject: [guard], scope: Scope.REQUEST },
      ],
    ],
  ])('except if the KmsJwtGuard is an APP_GUARD: %s', async (_, providers) => {
    expect(await startAndRead({ controllers: mixedAndOrders, providers })).toEqual([]);
  });

  test('except if the app uses no KmsJwtGuard', async () => {
    expect(await startAndRead({ controllers: () => [OrdersController], providers: otherAppGuard })).toEqual(
      [],
    );
  });

  test('except if the app serves no HTTP', async () => {
    expect(await startAndRead({ controllers: allGuarded, kind: 'context' })).toEqual([]);
  });
});

test('startup logs each handler once, although the app has several registrations', async () => {
  const second = KmsJwtModule.forRoot({
    name: 'the second',
    keyId: 'alias/auth',
    client: new LocalKms({ keys: [{ alias: 'auth' }] }).client(),
    signOptions: { issuer: 'https://auth.example.com' },
  });
  const lines = await startAndRead({
    controllers: (guard) => [guardedBy(guard).MixedController],
    imports: [second],
  });
  expect(lines).toEqual([uncovered('the HTTP route MixedController.unguarded')]);
});

describe('a warning about fromCookie without guard.allowedOrigins at startup', () => {
  @Public()
  @WebSocketGateway()
  class OpenGateway {}

  @Public()
  @Resolver()
  class TicksResolver {
    @Query(() => String) hello() {
      return 'hello';
    }
    @Subscription(() => String) async *ticks() {
      yield { ticks: 'tick' };
    }
  }

  const WARNING = ['warn', expect.stringMatching(/fromCookie.*guard\.allowedOrigins/)];
  const tokenFrom = [fromAuthHeader(), fromCookie('token')];

  test.each<[string, Partial<Parts>, object[]]>([
    ['is logged with a gateway', { providers: () => [OpenGateway] }, [WARNING]],
    [
      'is logged with GraphQL subscriptions',
      { providers: () => [TicksResolver], imports: [graphql()] },
      [WARNING],
    ],
    ['is not logged without gateways and subscriptions', { controllers: () => [OpenController] }, []],
    [
      'is not logged with guard.allowedOrigins',
      { providers: () => [OpenGateway], guard: { tokenFrom, allowedOrigins: [] } },
      [],
    ],
    [
      'is not logged without fromCookie',
      { providers: () => [OpenGateway], guard: { tokenFrom: fromAuthHeader() } },
      [],
    ],
  ])('%s', async (_, parts, expected) => {
    expect(await startAndRead({ guard: { tokenFrom }, ...parts })).toEqual(expected);
  });
});
