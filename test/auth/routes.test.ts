import { UseGuards } from '@nestjs/common';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Public, Scopes, VerifyWith } from 'nestjs-kms-jwt';
import type { Levels } from '../../src/auth/access.js';
import { Routes } from '../../src/auth/routes.js';

/** Stubs of guards: only their level and their registration matter. */
class Guard {
  static readonly kmsJwtRegistration: string = 'default';
  canActivate = () => true;
}
class InternalGuard {
  static readonly kmsJwtRegistration = 'internal';
  canActivate = () => true;
}

class Base {
  @Scopes('orders:read')
  list() {}

  @Public()
  open() {}
}

@UseGuards(Guard)
@VerifyWith({ audience: 'orders' })
class Orders extends Base {
  @VerifyWith({ maxAge: '5m' })
  @UseGuards(Guard)
  both() {}

  @UseGuards(InternalGuard)
  internal() {}
}

@UseGuards(InternalGuard)
@VerifyWith({ audience: 'reports' })
@Scopes('reports:read')
class Reports extends Base {
  own() {}
}

const levels = (controller: new () => object, name: string) =>
  [Reflect.get(controller.prototype as object, name), controller] as unknown as Levels;
const route = (guard: object, controller: new () => object, name: string) =>
  new Routes(guard).of(levels(controller, name));

afterEach(() => vi.restoreAllMocks());

test('the decorators of a route are read once', () => {
  const routes = new Routes(new Guard());
  const first = routes.of(levels(Orders, 'both'));
  const reads = vi.spyOn(Reflect, 'getMetadata');
  expect(routes.of(levels(Orders, 'both'))).toBe(first);
  expect(reads).not.toHaveBeenCalled();
  routes.of(levels(Orders, 'internal'));
  expect(reads).toHaveBeenCalled();
});

test('the options of a route are those of its class and handler, and are frozen', () => {
  const { options } = route(new Guard(), Orders, 'both');
  expect(options).toEqual({ audience: 'orders', maxAge: '5m' });
  expect(Object.isFrozen(options)).toBe(true);
});

test('two instances of one guard class on two levels are one guard', () => {
  const [one, other] = [route(new Guard(), Orders, 'both'), route(new Guard(), Orders, 'both')];
  expect(one.guard).toBe(Guard);
  expect(other.guard).toBe(one.guard);
});

test('two guards of the whole app are two guards', () => {
  const [one, other] = [new Guard(), new Guard()];
  expect(route(one, Reports, 'own').guard).toBe(one);
  expect(route(other, Reports, 'own').guard).toBe(other);
});

describe('a handler that two classes inherit', () => {
  test('has the options, scopes and access of each class', () => {
    const routes = new Routes(new Guard());
    const [orders, reports] = [Orders, Reports].map((controller) => routes.of(levels(controller, 'list')));
    expect(orders).toMatchObject({ options: { audience: 'orders' }, access: 'required', guard: Guard });
    expect(reports).toMatchObject({ options: { audience: 'reports' }, access: 'elsewhere' });
    expect([orders?.scopes, reports?.scopes]).toEqual([['orders:read'], ['orders:read']]);
    // The order in which the classes were read does not matter.
    expect(routes.of(levels(Orders, 'list'))).toBe(orders);
    expect(routes.of(levels(Reports, 'list'))).toBe(reports);
  });

  test('is public by its own decorator, with the scopes of each class', () => {
    expect(route(new Guard(), Orders, 'open')).toMatchObject({ access: 'public', scopes: [] });
    expect(route(new InternalGuard(), Reports, 'open')).toMatchObject({ scopes: ['reports:read'] });
  });
});

describe('guards of two registrations', () => {
  test('have separate routes: the nearer guard decides', () => {
    expect(route(new Guard(), Orders, 'internal').access).toBe('elsewhere');
    expect(route(new InternalGuard(), Orders, 'internal').access).toBe('required');
    expect(route(new InternalGuard(), Orders, 'internal').guard).toBe(InternalGuard);
  });
});
