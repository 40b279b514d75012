import { Controller, Get } from '@nestjs/common';
import { Claims, type JwtClaims, VerifyWith } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startGuardedApp } from './support.js';

describe('@VerifyWith()', () => {
  const schema = z.object({ sub: z.string(), level: z.coerce.number() });

  @VerifyWith({ audience: 'admin' })
  @Controller()
  class AdminController {
    @Get('class') byClass(@Claims('sub') sub: string) {
      return { sub };
    }
    @VerifyWith({ requiredClaims: ['jti'] }) @Get('method') byMethod(@Claims('sub') sub: string) {
      return { sub };
    }
    @VerifyWith({ audience: 'admin', schema }) @Get('schema') typed(@Claims() claims: JwtClaims) {
      return claims;
    }
    @VerifyWith({ audience: 'admin', maxAge: '5m' }) @Get('fresh') fresh() {
      return {};
    }
  }

  const options = { verifyOptions: { audience: 'orders' } };

  test('on a class overrides the options of the module', async () => {
    const get = await startGuardedApp(AdminController, options);
    expect(await get('/class', { sub: 'user-42', aud: 'admin' })).toEqual([200, { sub: 'user-42' }]);
    expect((await get('/class', { sub: 'user-42', aud: 'orders' }))[0]).toBe(401);
  });

  test('on a method adds to the options of its class', async () => {
    const get = await startGuardedApp(AdminController, options);
    expect((await get('/method', { sub: 'user-42', aud: 'admin', jti: '1' }))[0]).toBe(200);
    expect((await get('/method', { sub: 'user-42', aud: 'orders', jti: '1' }))[0]).toBe(401);
    expect((await get('/method', { sub: 'user-42', aud: 'admin' }))[0]).toBe(401);
  });

  test('on a method replaces the options of its class that it names', async () => {
    @VerifyWith({ audience: 'admin', requiredClaims: ['jti'] })
    @Controller()
    class ReplacingController {
      @VerifyWith({ audience: 'root' }) @Get() read() {
        return {};
      }
    }
    const get = await startGuardedApp(ReplacingController);
    expect((await get('/', { aud: 'root', jti: '1' }))[0]).toBe(200);
    expect((await get('/', { aud: 'admin', jti: '1' }))[0]).toBe(401);
    expect((await get('/', { aud: 'root' }))[0]).toBe(401);
  });

  test('on a derived class keeps the options of its base class', async () => {
    @VerifyWith({ audience: 'admin' })
    class Base {}
    @VerifyWith({ requiredClaims: ['jti'] })
    @Controller()
    class Derived extends Base {
      @Get() read() {
        return {};
      }
    }
    const get = await startGuardedApp(Derived);
    expect((await get('/', { aud: 'admin', jti: '1' }))[0]).toBe(200);
    expect((await get('/', { aud: 'orders', jti: '1' }))[0]).toBe(401);
    expect((await get('/', { aud: 'admin' }))[0]).toBe(401);
  });

  test('twice on one method combines the options of both', async () => {
    @Controller()
    class TwiceController {
      @VerifyWith({ audience: 'admin' }) @VerifyWith({ requiredClaims: ['jti'] }) @Get() read() {
        return {};
      }
    }
    const get = await startGuardedApp(TwiceController);
    expect((await get('/', { aud: 'admin', jti: '1' }))[0]).toBe(200);
    expect((await get('/', { aud: 'orders', jti: '1' }))[0]).toBe(401);
    expect((await get('/', { aud: 'admin' }))[0]).toBe(401);
  });

  test('copies its options: a later change has no effect', async () => {
    const changing: { audience?: string } = { audience: 'admin' };
    @Controller()
    class ChangedController {
      @VerifyWith(changing) @Get() read() {
        return {};
      }
    }
    delete changing.audience;
    const get = await startGuardedApp(ChangedController);
    expect((await get('/', { aud: 'orders' }))[0]).toBe(401);
  });

  test('gives the output of its schema to @Claims(), and answers 401 if the claims do not match', async () => {
    const get = await startGuardedApp(AdminController, options);
    expect(await get('/schema', { sub: 'user-42', aud: 'admin', level: '3' })).toEqual([
      200,
      { sub: 'user-42', level: 3 },
    ]);
    expect(await get('/schema', { sub: 'user-42', aud: 'admin', level: 'top secret' })).toEqual([
      401,
      {
        statusCode: 401,
        message: 'The level claim does not match the schema',
        error: 'Unauthorized',
        errorCode: 'token_claim_invalid',
      },
    ]);
  });

  test.each<[string, number, string, () => Promise<{ issues: { message: string }[] }>]>([
    ['finds issues', 401, 'token_claim_invalid', async () => ({ issues: [{ message: 'none' }] })],
    ['rejects', 503, 'schema_unavailable', () => Promise.reject(new Error('unavailable'))],
    ['never settles', 503, 'schema_unavailable', () => new Promise(() => {})],
  ])('with an asynchronous schema that %s answers %i', async (_, status, errorCode, validate) => {
    const asynchronous = { '~standard': { version: 1 as const, vendor: 'test', validate } };
    @Controller()
    class AsynchronousController {
      @VerifyWith({ schema: asynchronous }) @Get() read() {
        return {};
      }
    }
    const get = await startGuardedApp(AsynchronousController, { limits: { timeout: 200 } });
    expect(await get('/', { sub: 'user-42' })).toEqual([status, expect.objectContaining({ errorCode })]);
  });

  test('requires a fresh token with maxAge', async () => {
    const get = await startGuardedApp(AdminController, options);
    const now = Math.floor(Date.now() / 1000);
    expect((await get('/fresh', { aud: 'admin', iat: now - 10 }))[0]).toBe(200);
    expect((await get('/fresh', { aud: 'admin', iat: now - 3600 }))[0]).toBe(401);
  });

  test('throws for an unknown option', () => {
    expect(() => VerifyWith({ audiance: 'admin' } as never)).toThrow(
      expect.objectContaining({ name: 'KmsJwtOptionsError', option: 'audiance' }),
    );
  });

  test.each([
    ['clockTimestamp', { clockTimestamp: 1 }, /verify\(\)/],
    ['clockTimestamp', { clockTimestamp: undefined }, /leave it out/],
    ['clockTimestamp', Object.create({ clockTimestamp: 1 }) as object, /leave it out/],
    ['complete', { complete: true }, /decode\(\)/],
    ['complete', { complete: false }, /leave it out/],
    ['complete', Object.create({ complete: true }) as object, /leave it out/],
  ])('throws for %s, an option of a single call: %o', (option, given, remedy) => {
    const verifyWith = () => VerifyWith(given as never);
    expect(verifyWith).toThrow(
      expect.objectContaining({ name: 'KmsJwtOptionsError', option: `VerifyWith.${option}` }),
    );
    expect(verifyWith).toThrow(remedy);
  });

  test.each([
    ['inherited', Object.create({ audience: 'admin' }) as object],
    ['undefined', { audience: undefined }],
  ])('throws for an option that is %s', (problem, given) => {
    const verifyWith = () => VerifyWith(given);
    expect(verifyWith).toThrow(expect.objectContaining({ option: 'audience' }));
    expect(verifyWith).toThrow(`audience is ${problem}`);
  });

  test('accepts an instance of a class with its own fields', async () => {
    class AdminOptions {
      audience = 'admin';
    }
    @Controller()
    class ClassController {
      @VerifyWith(new AdminOptions()) @Get() read() {
        return {};
      }
    }
    const get = await startGuardedApp(ClassController);
    expect((await get('/', { aud: 'admin' }))[0]).toBe(200);
    expect((await get('/', { aud: 'orders' }))[0]).toBe(401);
  });
});
